package main

import (
	"context"
	"fmt"

	"github.com/stephost/stephost/pluginsdk"
)

// Scope is project and region. Both are in the config, in the credentials or in
// the environment; nobody needs to be asked, and a project ID means one project
// for ever.
func (v *vertex) Scope(_ context.Context, c Config) (pluginsdk.Scope, error) {
	project, err := v.project(c)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	return pluginsdk.Scope{
		ID:      "gcp:" + project + ":" + c.Region,
		Display: fmt.Sprintf("Google Cloud project %s, %s", project, c.Region),
	}, nil
}
