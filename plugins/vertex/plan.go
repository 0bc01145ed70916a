package main

import (
	"context"
	"encoding/json"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/stephost/stephost/pluginsdk"
)

// planned is what a plan shows: the call of the REST API that is the same as
// the one that Submit makes over gRPC.
type planned struct {
	Call   string          `json:"call"`
	Marker string          `json:"marker,omitempty"`
	Body   json.RawMessage `json:"body"`
}

// Plan shows the request. Secrets are names only.
func (v *vertex) Plan(_ context.Context, c Config, s *pluginsdk.Step, _ bool) (pluginsdk.Plan, error) {
	launched := s.Key != ""
	if !launched {
		s.Key = placeholderKey
	}
	b, err := v.build(c, s, false)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	s.WarnAll(b.warnings)
	later := map[string]*string{labelDigest: &s.RequestDigest, labelToken: &s.Token}
	for name, given := range later {
		if *given == "" {
			b.request.CustomJob.Labels[name] = pluginsdk.KnownAtLaunch("a hash")
		}
	}
	body, err := protojson.Marshal(b.request.CustomJob)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	show := planned{Call: "POST https://" + c.Region + "-aiplatform.googleapis.com/v1/" + b.request.Parent + "/customJobs", Body: body}
	if bucket, _ := c.bucket(); bucket != "" {
		show.Marker = "gs://" + bucket + "/" + c.marker(s.Key)
	}
	p, err := pluginsdk.JSONPlan(show, b.notes)
	if !launched {
		p.Request = strings.ReplaceAll(p.Request, placeholderKey, pluginsdk.KnownAtLaunch("the key of the attempt"))
	}
	return p, err
}

// placeholderKey has the form of a key and is never used for a job.
const placeholderKey = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
