package plugintest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

const (
	// maxConfigFile bounds a test.hcl.
	maxConfigFile = 1 << 20
	// hookLimit bounds one run of a command of the author.
	hookLimit = 2 * time.Minute
	// hookSlack is how long what such a command has left behind may keep its
	// output open.
	hookSlack = 2 * time.Second
)

// LoadConfig reads the file of `stephost flavor test --config`. Paths in it are
// relative to its directory; env("NAME") gives a variable of the environment.
//
//	tier     = "full"
//	kind     = "remote"
//	config   = { queue = "test" }
//	settings = { priority = 1 }
//	witness  = "/shared/stephost-test"
//	image    = "python:3.12-slim"
//	shell    = ["sh", "-c"]
//	env      = { HIVE_TOKEN = env("HIVE_TOKEN") }
//	waive    = { "logs.bytes" = "the log store takes text only" }
//	job_timeout = "10m"
//	list     = ["./list.sh"]
//	delete   = ["./delete.sh"]
//	fault    = ["./fault.sh"]
//
// The three commands of the author get STEPHOST_KEY, STEPHOST_NATIVE_NAME and
// STEPHOST_FAULT, as far as they apply. list prints a name per line; fault exits
// with 2 for what it cannot play.
func LoadConfig(path string) (Config, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Config{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfigFile {
		return Config{}, fmt.Errorf("%s is no file of at most %d bytes", path, maxConfigFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	file, diags := hclsyntax.ParseConfig(text, path, hcl.InitialPos)
	if diags.HasErrors() {
		return Config{}, diags
	}
	attrs, diags := file.Body.JustAttributes()
	if diags.HasErrors() {
		return Config{}, diags
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return Config{}, err
	}
	var c Config
	for name, a := range attrs {
		v, diags := a.Expr.Value(&hcl.EvalContext{Functions: map[string]function.Function{"env": envFunction()}})
		if diags.HasErrors() {
			return Config{}, diags
		}
		if err := c.set(dir, name, v); err != nil {
			return Config{}, fmt.Errorf("%s: %s: %w", a.Range, name, err)
		}
	}
	return c, nil
}

// set takes one attribute of a file.
func (c *Config) set(dir, name string, v cty.Value) error {
	var env map[string]string
	var command []string
	var text string
	prev := &Previous{}
	if c.Previous != nil {
		prev = c.Previous
	}
	into := map[string]any{
		"plugin": &c.Plugin, "command": &c.Command, "tier": &c.Tier, "kind": &c.Kind, "only": &c.Only, "waive": &c.Waive,
		"config": &c.Operator, "settings": &c.Settings, "image": &c.Image, "shim": &c.Shim, "shell": &c.Shell, "witness": &c.Witness,
		"env": &env, "list": &command, "delete": &command, "fault": &command, "job_timeout": &text, "call_timeout": &text,
		"previous": &prev.Plugin, "previous_config": &prev.Operator, "previous_settings": &prev.Settings,
	}[name]
	if into == nil {
		return errors.New("there is no such attribute")
	}
	data, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return err
	}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber() // integers beyond 2^53
	if err := d.Decode(into); err != nil {
		return errors.New("the value has the wrong type")
	}
	switch name {
	case "plugin":
		c.Plugin = below(dir, c.Plugin)
	case "previous":
		prev.Plugin = below(dir, prev.Plugin)
		c.Previous = prev
	case "previous_config", "previous_settings":
		c.Previous = prev
	case "witness":
		c.Witness = below(dir, c.Witness)
	case "env":
		for k, v := range env {
			c.Env = append(c.Env, k+"="+v)
		}
	case "job_timeout":
		c.JobTimeout, err = time.ParseDuration(text)
	case "call_timeout":
		c.CallTimeout, err = time.ParseDuration(text)
	case "list", "delete", "fault":
		if len(command) == 0 {
			return errors.New("the command is empty")
		}
		c.hook(hook{dir: dir, argv: command}, name)
	}
	return err
}

func below(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// hook is a command of the author.
type hook struct {
	dir  string
	argv []string
}

func (c *Config) hook(h hook, name string) {
	switch name {
	case "list":
		c.List = func(ctx context.Context, key string) ([]string, error) {
			out, err := h.run(ctx, "STEPHOST_KEY="+key)
			return strings.Fields(out), err
		}
	case "delete":
		c.Delete = func(ctx context.Context, j Job) error {
			_, err := h.run(ctx, "STEPHOST_KEY="+j.Key, "STEPHOST_NATIVE_NAME="+j.NativeName)
			return err
		}
	case "fault":
		c.Fault = func(ctx context.Context, f Fault) error {
			_, err := h.run(ctx, "STEPHOST_FAULT="+string(f))
			var exit *exec.ExitError
			if errors.As(err, &exit) && exit.ExitCode() == 2 {
				return errors.ErrUnsupported
			}
			return err
		}
	}
}

func (h hook) run(ctx context.Context, env ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, hookLimit)
	defer cancel()
	name := h.argv[0]
	if strings.ContainsRune(name, filepath.Separator) {
		name = below(h.dir, name)
	}
	cmd := exec.CommandContext(ctx, name, h.argv[1:]...)
	cmd.Dir, cmd.WaitDelay = h.dir, hookSlack
	cmd.Env = append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(h.argv, " "), err, printable(stderr.String(), maxWord))
	}
	return string(out), nil
}

// envFunction is env("NAME"): an unset variable is an error.
func envFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, ok := os.LookupEnv(args[0].AsString())
			if !ok {
				return cty.NilVal, fmt.Errorf("the variable %s is not set", args[0].AsString())
			}
			return cty.StringVal(v), nil
		},
	})
}
