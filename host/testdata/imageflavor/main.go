// Command stephost-flavor-shelf takes jobs with images and runs none: it writes
// down what it would run, so that a test sees what reaches a flavor.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
)

//go:embed flavor.hcl
var manifest []byte

type config struct {
	Dir string `stephost:"dir"`
}

// job is what a test reads.
type job struct {
	Image   string
	Shim    bool
	Argv    []string
	Attempt int
	Retry   bool
}

type shelf struct{}

func (shelf) Validate(_ context.Context, _ config, s *pluginsdk.Step) error {
	if s != nil && strings.HasPrefix(s.Environment.Image.Reference, "refused.example.com/") {
		return pluginsdk.Config("environment.registry", "the shelf cannot pull from refused.example.com")
	}
	return nil
}

func (shelf) Submit(_ context.Context, c config, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	img := s.Environment.Image
	j := job{Image: img.Reference, Shim: img.Shim, Argv: pluginsdk.ContainerArgv(s), Attempt: s.Attempt, Retry: s.Env["RETRY"] != "" && s.Attempt == 1}
	data, err := json.Marshal(j)
	if err == nil {
		err = os.WriteFile(filepath.Join(c.Dir, s.Key+".json"), data, 0o600)
	}
	if touch := s.Env["TOUCH"]; err == nil && touch != "" {
		err = os.WriteFile(touch, []byte("changed while the run went on"), 0o600)
	}
	return pluginsdk.Handle{Version: 1, Data: []byte(s.Key), NativeName: s.Key}, err
}

func (shelf) Status(_ context.Context, c config, h pluginsdk.Handle) (pluginsdk.Status, error) {
	data, err := os.ReadFile(filepath.Join(c.Dir, string(h.Data)+".json"))
	if err != nil {
		return pluginsdk.Status{}, err
	}
	var j job
	if err := json.Unmarshal(data, &j); err != nil {
		return pluginsdk.Status{}, err
	}
	if j.Retry {
		return pluginsdk.Status{Phase: pluginsdk.Failed, Class: pluginsdk.ClassSystem, Message: "the first attempt fails"}, nil
	}
	return pluginsdk.Status{Phase: pluginsdk.Succeeded, ExitCode: pluginsdk.Exit(0)}, nil
}

func (shelf) Cancel(context.Context, config, pluginsdk.Handle, pluginsdk.CancelOptions) error {
	return pluginsdk.ErrAlreadyOver
}

func (shelf) RegistryAuth(_ context.Context, c config, r pluginsdk.RegistryRequest) (pluginsdk.RegistryCredentials, error) {
	text, err := os.ReadFile(filepath.Join(c.Dir, "auth"))
	if errors.Is(err, fs.ErrNotExist) {
		return pluginsdk.RegistryCredentials{}, pluginsdk.ErrNotOurs
	}
	user, password, _ := strings.Cut(string(text), ":")
	return pluginsdk.RegistryCredentials{Username: user, Password: pluginsdk.NewSecret(password)}, err
}

func main() { pluginsdk.Main(manifest, pluginsdk.RemoteOf(shelf{})) }
