package cli_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/cmd/stephost/internal/cli"
)

var update = flag.Bool("update", false, "write the golden files anew")

// world is a home, a project directory, and a flavor whose implementation
// leaves a trace when it is run.
type world struct {
	t     testing.TB
	base  string
	home  string
	dir   string
	trace string
	plug  string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	w := &world{t: t, base: base, home: filepath.Join(base, "home"), dir: filepath.Join(base, "project"), trace: filepath.Join(base, "ran")}
	for _, d := range []string{w.dir, filepath.Join(w.dir, ".git"), filepath.Join(base, "plugins")} {
		require.NoError(t, os.MkdirAll(d, 0o755))
	}
	setenv(t, "STEPHOST_HOME", w.home)
	setenv(t, "STEPHOST_LOG", "")
	w.plug = filepath.Join(base, "plugins", "stephost-flavor-cloud")
	require.NoError(t, os.WriteFile(w.plug, []byte("#!/bin/sh\necho ran >> '"+w.trace+"'\n"), 0o755))
	require.NoError(t, os.WriteFile(w.plug+".flavor.hcl", []byte(w.manifest("0.1.0", "30")), 0o644))
	return w
}

func setenv(t testing.TB, name, value string) {
	if s, ok := t.(interface{ Setenv(string, string) }); ok {
		s.Setenv(name, value)
	}
}

func (w *world) manifest(version, volume string) string {
	w.t.Helper()
	text, err := os.ReadFile("testdata/cloud.flavor.hcl")
	require.NoError(w.t, err)
	return strings.NewReplacer("VERSION", version, "VOLUME", volume).Replace(string(text))
}

func (w *world) registerCloud() {
	w.t.Helper()
	r := w.run("flavor", "register", w.plug)
	require.Zero(w.t, r.code, r.err)
}

func (w *world) write(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	require.NoError(w.t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// result is what a command line left.
type result struct {
	code     int
	out, err string
}

func (w *world) run(args ...string) result { return w.runWith("", args...) }

func (w *world) runWith(stdin string, args ...string) result {
	w.t.Helper()
	var out, errs bytes.Buffer
	code := cli.Main(args, strings.NewReader(stdin), &out, &errs)
	return result{code, w.plain(out.String()), w.plain(errs.String())}
}

var (
	hash = regexp.MustCompile(`[0-9a-f]{64}`)
	when = regexp.MustCompile(`"registered_at":"[^"]*"`)
	size = regexp.MustCompile(`"size":\d+`)
)

// plain takes out what differs from machine to machine.
func (w *world) plain(text string) string {
	text = strings.ReplaceAll(text, w.base, "/base")
	text = when.ReplaceAllString(text, `"registered_at":"TIME"`)
	text = size.ReplaceAllString(text, `"size":0`)
	return hash.ReplaceAllString(text, "HASH")
}

// neverRan proves that nothing executed the implementation.
func (w *world) neverRan() {
	w.t.Helper()
	_, err := os.Stat(w.trace)
	assert.ErrorIs(w.t, err, os.ErrNotExist, "the plugin was run")
}

// golden compares a transcript with testdata/NAME.golden.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "make it with -update")
	assert.Equal(t, string(want), got)
}

// transcript runs command lines and writes down what they print.
func (w *world) transcript(lines ...[]string) string {
	w.t.Helper()
	var b strings.Builder
	for _, args := range lines {
		r := w.run(args...)
		b.WriteString("$ stephost " + w.plain(strings.Join(args, " ")) + "\n" + r.out)
		if r.err != "" {
			b.WriteString("--- stderr\n" + r.err)
		}
		if r.code != 0 {
			b.WriteString("--- exit " + string(rune('0'+r.code/100)) + string(rune('0'+r.code/10%10)) + string(rune('0'+r.code%10)) + "\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}

const sampleProject = `operator "here" {
  flavor = "cloud"
  config {
    role     = env("ROLE")
    password = secret("env:PW")
  }
}

step "train" {
  operator = "here"
  command  = ["python", "train.py"]
  environment {
    base_image = "python:3.11-slim"
    registry   = "registry.example.com/ml"
  }
  secrets = { HF_TOKEN = env("HF_TOKEN") }
}
`
