// Command stephost-flavor-hello is the smallest flavor that does its work.
package main

import (
	"context"
	_ "embed"
	"os"
	"os/exec"

	"github.com/stephost/stephost/pluginsdk"
)

//go:embed flavor.hcl
var manifest []byte

func launch(ctx context.Context, s *pluginsdk.Step) error {
	cmd := exec.CommandContext(ctx, "env", append([]string{"--"}, s.Argv...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.Environment.Directory.Path, s.Stdout, s.Stderr
	cmd.Env = append(os.Environ(), "STEPHOST_RUN="+s.RunID)
	if venv := s.Environment.Directory.Venv; venv != "" {
		cmd.Env = append(cmd.Env, "PATH="+venv+"/bin:"+os.Getenv("PATH"))
	}
	for name, value := range s.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd.Run()
}

func main() { pluginsdk.Main(manifest, pluginsdk.Launch(pluginsdk.LauncherFunc(launch))) }
