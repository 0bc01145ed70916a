package main

import (
	"bytes"
	"context"
	"encoding/json"

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
	for _, w := range b.warnings {
		s.Warn("settings.machine_type", "%s", w)
	}
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
	// Arguments are shown as they are: no escaping for web pages.
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(show); err != nil {
		return pluginsdk.Plan{}, err
	}
	request := text.Bytes()
	if !launched {
		request = bytes.ReplaceAll(request, []byte(placeholderKey), []byte(pluginsdk.KnownAtLaunch("the key of the attempt")))
	}
	return pluginsdk.Plan{Request: string(request), Format: "json", Notes: b.notes}, nil
}

// placeholderKey has the form of a key and is never used for a job.
const placeholderKey = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
