package pluginsdk_test

import (
	"context"
	"os/exec"

	"github.com/stephost/stephost/pluginsdk"
)

// manifest is the flavor's flavor.hcl, embedded with go:embed in a real flavor.
var manifest = []byte(`
flavor "hello" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Runs a step as a child of the plugin."
  environment  = ["directory"]
  capabilities = ["find", "logs", "cancel", "cleanup"]
  submission {
    idempotency = "key"
    key_lives   = "while_exists"
  }
}
`)

// A flavor of the small kind is its manifest and this.
func ExampleLaunch() {
	pluginsdk.Main(manifest, pluginsdk.Launch(pluginsdk.LauncherFunc(func(ctx context.Context, s *pluginsdk.Step) error {
		cmd := exec.CommandContext(ctx, s.Argv[0], s.Argv[1:]...)
		for name, value := range s.Env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		cmd.Dir = s.Environment.Directory.Path
		cmd.Stdout, cmd.Stderr = s.Stdout, s.Stderr
		return cmd.Run()
	})))
}

// hiveConfig has a field for every config attribute of the manifest.
type hiveConfig struct {
	URL   string           `stephost:"url"`
	Token pluginsdk.Secret `stephost:"token"`
}

// hive is a flavor whose jobs outlive the plugin.
type hive struct{}

func (hive) Submit(_ context.Context, _ hiveConfig, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	if s.Resources.GPU > 8 {
		return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Config("resources.gpu", "hive has machines with up to 8 GPUs"))
	}
	// ... POST the job under the name s.Key ...
	return pluginsdk.Handle{Version: 1, Data: []byte(s.Key)}, nil
}

func (hive) Status(context.Context, hiveConfig, pluginsdk.Handle) (pluginsdk.Status, error) {
	// ... GET the job ...
	return pluginsdk.Status{Phase: pluginsdk.Succeeded, ExitCode: pluginsdk.Exit(0)}, nil
}

func (hive) Cancel(context.Context, hiveConfig, pluginsdk.Handle, pluginsdk.CancelOptions) error {
	return pluginsdk.ErrAlreadyOver
}

// A remote flavor gives its three methods; the SDK makes the contract of them.
func ExampleRemoteOf() {
	pluginsdk.Main(manifest, pluginsdk.RemoteOf[hiveConfig](hive{}))
}
