package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/stephost/stephost/pluginsdk"
)

// planned is what a plan shows: the calls that a launch makes, in their order,
// with the names of the API.
type planned struct {
	App    string          `json:"app"`
	Image  plannedImage    `json:"image"`
	Secret *plannedSecret  `json:"secret,omitempty"`
	Call   string          `json:"call"`
	Body   json.RawMessage `json:"request"`
}

type plannedImage struct {
	Dockerfile []string `json:"dockerfile"`
	Login      string   `json:"registry_auth,omitempty"`
}

// plannedSecret is the run's own Modal secret: values of what is no secret of the
// step are shown.
type plannedSecret struct {
	Name      string            `json:"name"`
	Variables map[string]string `json:"variables"`
}

// Plan shows the request. Secrets are names only.
func (f *flavor) Plan(_ context.Context, c Config, s *pluginsdk.Step, _ bool) (pluginsdk.Plan, error) {
	launched := s.Key != ""
	if !launched {
		s.Key = placeholderKey
	}
	for name := range s.Secrets {
		s.Secrets[name] = pluginsdk.NewSecret(secretText(name))
	}
	t, err := unprepared(c, s)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	b, err := f.build(c, s, t)
	if err != nil {
		return pluginsdk.Plan{}, err
	}
	s.WarnAll(b.warnings)
	for name, given := range map[string]string{tagDigest: s.RequestDigest, tagToken: s.Token, tagRun: s.RunID} {
		if given == "" {
			b.tags[name] = pluginsdk.KnownAtLaunch("a hash")
		}
	}
	show := planned{App: c.App, Call: b.call(), Image: plannedImage{Dockerfile: []string{"FROM " + s.Environment.Image.Reference, noEntrypoint}, Login: c.pullText()}}
	if len(b.secret) > 0 {
		b.finish(pluginsdk.KnownAtLaunch("the ID of the secret " + b.secretName))
		show.Secret = &plannedSecret{Name: b.secretName, Variables: b.secret}
	} else {
		b.finish("")
	}
	if show.Body, err = body(b.request()); err != nil {
		return pluginsdk.Plan{}, err
	}
	if c.ByProject && c.Project != "" {
		b.notes = append(b.notes, fmt.Sprintf("project %s -> app %s", c.Project, c.App))
	}
	if len(s.Secrets) > 0 {
		b.notes = append(b.notes, "secrets go into the Modal secret "+secretName("KEY")+", which is removed when the run is over: "+
			strings.Join(slices.Sorted(maps.Keys(s.Secrets)), ", "))
	}
	p, err := pluginsdk.JSONPlan(show, b.notes)
	if !launched {
		p.Request = strings.ReplaceAll(p.Request, placeholderKey, pluginsdk.KnownAtLaunch("the key of the attempt"))
	}
	return p, err
}

// secretText stands in a plan for a secret's value.
func secretText(name string) string { return "(secret " + name + ")" }

// pullText says what Modal pulls the image with.
func (c Config) pullText() string {
	switch {
	case c.RegistrySecret != "":
		return c.RegistryAuth + ": the Modal secret " + c.RegistrySecret
	case c.RegistryLogin:
		return "static: the login of this machine's Docker configuration"
	}
	return ""
}

// call is the creating call, and request what it is sent.
func (b *built) call() string {
	if b.newer {
		return "SandboxCreateV2"
	}
	return "SandboxCreate"
}

func (b *built) request() proto.Message {
	if b.newer {
		return b.newest()
	}
	return b.older()
}

// body is a message as JSON, the same each time: the library adds random blanks.
func body(m proto.Message) (json.RawMessage, error) {
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Compact(&out, text)
	return out.Bytes(), err
}
