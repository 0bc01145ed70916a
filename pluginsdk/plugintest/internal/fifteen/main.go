// Command fifteen is a flavor of the kind launch in fifteen lines of Go, for the
// tests of the conformance suite.
package main

import (
	"context"
	_ "embed"
	"os/exec"

	"github.com/stephost/stephost/pluginsdk"
)

//go:embed flavor.hcl
var manifest []byte

func launch(ctx context.Context, s *pluginsdk.Step) error {
	c := exec.CommandContext(ctx, s.Argv[0], s.Argv[1:]...)
	c.Dir, c.Stdout, c.Stderr = s.Environment.Directory.Path, s.Stdout, s.Stderr
	c.Env = append(c.Environ(), "STEPHOST_RUN="+s.RunID)
	for name, value := range s.Env {
		c.Env = append(c.Env, name+"="+value)
	}
	for name, value := range s.Secrets {
		c.Env = append(c.Env, name+"="+value.Reveal())
	}
	return c.Run()
}

func main() { pluginsdk.Main(manifest, pluginsdk.Launch(pluginsdk.LauncherFunc(launch))) }
