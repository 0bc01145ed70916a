package plugintest_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk/plugintest"
)

const tiny = `flavor "tiny" {
  version  = "1.0.0"
  protocol = [1]
  config "place" {
    type = string
  }
}
`

func TestConfigIsChecked(t *testing.T) {
	dir := t.TempDir()
	plugin := filepath.Join(dir, "plugin")
	require.NoError(t, os.WriteFile(plugin, []byte("no program"), 0o700))
	good := plugintest.Config{Plugin: plugin, Manifest: []byte(tiny), Operator: map[string]any{"place": "here"}}
	tests := map[string]struct {
		change func(c *plugintest.Config)
		says   string
	}{
		"no plugin":        {func(c *plugintest.Config) { c.Plugin = "" }, "Config.Plugin is empty"},
		"tier":             {func(c *plugintest.Config) { c.Tier = "huge" }, `not "huge"`},
		"kind":             {func(c *plugintest.Config) { c.Kind = "huge" }, `not "huge"`},
		"waive":            {func(c *plugintest.Config) { c.Waive = map[string]string{"x.y": "z"} }, "which is no check"},
		"only":             {func(c *plugintest.Config) { c.Only = []string{"x."} }, "with which no check begins"},
		"required":         {func(c *plugintest.Config) { c.Operator = nil }, `"place" is required`},
		"unknown":          {func(c *plugintest.Config) { c.Settings = map[string]any{"a": 1} }, `no setting "a"`},
		"wrong type":       {func(c *plugintest.Config) { c.Operator = map[string]any{"place": []int{1}} }, `config "place"`},
		"no manifest":      {func(c *plugintest.Config) { c.Manifest = nil }, "has no manifest"},
		"broken manifest":  {func(c *plugintest.Config) { c.Manifest = []byte("{") }, "cannot be read"},
		"nameless":         {func(c *plugintest.Config) { c.Manifest = []byte("a = 1") }, "the manifest needs"},
		"image is missing": {func(c *plugintest.Config) { c.Tier = plugintest.Full; c.Manifest = image() }, "Config.Image"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c := good
			tc.change(&c)
			_, err := plugintest.Plan(c)
			require.ErrorContains(t, err, tc.says)
			_, err = plugintest.Check(t.Context(), c)
			require.ErrorContains(t, err, tc.says)
		})
	}
	planned, err := plugintest.Plan(good)
	require.NoError(t, err)
	jobs := 0
	for _, p := range planned {
		jobs += p.Jobs
	}
	assert.Zero(t, jobs, "the quick tier starts no job")
}

func image() []byte {
	return []byte(strings.Replace(tiny, "protocol", "environment = [\"image\"]\n  protocol", 1))
}

// A file that is no plugin makes a report, not a panic and not an error.
func TestNoPlugin(t *testing.T) {
	plugin := filepath.Join(t.TempDir(), "plugin")
	require.NoError(t, os.WriteFile(plugin, []byte("#!/bin/sh\necho no plugin >&2\nexit 4\n"), 0o700))
	r, err := plugintest.Check(t.Context(), plugintest.Config{Plugin: plugin, Manifest: []byte(tiny), Operator: map[string]any{"place": "here"}})
	require.NoError(t, err)
	require.Len(t, r.Failed(), 1, "one fault, one failure")
	assert.Contains(t, r.Failed()[0].Detail, "ended before the handshake: exit status 4")
	assert.Contains(t, r.Failed()[0].Detail, "no plugin", "its own words")
}

func TestManifestInside(t *testing.T) {
	sum := sha256.Sum256([]byte(tiny))
	head := fmt.Sprintf("%s %d sha256:%s\n", strings.Join([]string{"#!stephost", "flavor", "manifest", "v1"}, " "), len(tiny), hex.EncodeToString(sum[:]))
	var commented strings.Builder
	for line := range strings.Lines(head + tiny) {
		commented.WriteString("# " + line)
	}
	const window = 1 << 20
	tests := map[string][]byte{
		"a program":          []byte("\x7fELF" + strings.Repeat("\x00", 1000) + head + tiny + "rest"),
		"across two blocks":  append(bytes.Repeat([]byte{'x'}, window-10), []byte(head+tiny)...),
		"a script":           []byte("#!/usr/bin/env python3\n" + commented.String() + "print()\n"),
		"behind a wrong one": []byte(strings.Replace(head, "sha256:", "sha256:0", 1) + "\n" + head + tiny),
	}
	for name, file := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "plugin")
			require.NoError(t, os.WriteFile(path, file, 0o700))
			planned, err := plugintest.Plan(plugintest.Config{Plugin: path, Operator: map[string]any{"place": "here"}})
			require.NoError(t, err)
			assert.NotEmpty(t, planned)
		})
	}
}

func TestLoadConfig(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PT_TOKEN", "t0k3n")
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o700))
		return path
	}
	write("list.sh", "#!/bin/sh\necho \"job-$STEPHOST_KEY\"\n")
	write("delete.sh", "#!/bin/sh\necho \"no $STEPHOST_NATIVE_NAME\" >&2\nexit 1\n")
	write("fault.sh", "#!/bin/sh\ntest \"$STEPHOST_FAULT\" = none || exit 2\n")
	c, err := plugintest.LoadConfig(write("test.hcl", `
plugin      = "./bin/hive"
tier        = "full"
kind        = "launch"
config      = { place = "here", big = 9007199254740993 }
settings    = { a = [1, true, null] }
env         = { TOKEN = env("PT_TOKEN") }
waive       = { "logs.bytes" = "text only" }
witness     = "w"
job_timeout = "10m"
list        = ["./list.sh"]
delete      = ["./delete.sh"]
fault       = ["./fault.sh"]
`))
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "bin", "hive"), c.Plugin)
	assert.Equal(t, plugintest.Full, c.Tier)
	assert.Equal(t, plugintest.Launch, c.Kind)
	assert.Equal(t, "9007199254740993", fmt.Sprint(c.Operator["big"]))
	assert.Equal(t, []string{"TOKEN=t0k3n"}, c.Env)
	assert.Equal(t, 10*time.Minute, c.JobTimeout)
	assert.Equal(t, filepath.Join(dir, "w"), c.Witness)
	ctx := context.Background()
	names, err := c.List(ctx, "k")
	require.NoError(t, err)
	assert.Equal(t, []string{"job-k"}, names)
	assert.ErrorContains(t, c.Delete(ctx, plugintest.Job{Key: "k", NativeName: "n"}), "no n")
	require.NoError(t, c.Fault(ctx, plugintest.NoFault))
	assert.ErrorIs(t, c.Fault(ctx, plugintest.Queued), errors.ErrUnsupported)

	for text, says := range map[string]string{
		"colour = 1":                 "no such attribute",
		"tier = [1]":                 "wrong type",
		"list = []":                  "the command is empty",
		`env = { A = env("PT_NO") }`: "PT_NO is not set",
		`job_timeout = "soon"`:       "invalid duration",
		"block {}":                   "Blocks are not allowed",
	} {
		_, err := plugintest.LoadConfig(write("bad.hcl", text))
		assert.ErrorContains(t, err, says, text)
	}
}

// The page lists every check with its sentence.
func TestDocument(t *testing.T) {
	page, err := os.ReadFile("../../docs/conformance.md")
	require.NoError(t, err)
	for _, x := range plugintest.Catalogue() {
		jobs := "-"
		if x.Jobs > 0 {
			jobs = fmt.Sprint(x.Jobs)
		}
		assert.Contains(t, string(page), fmt.Sprintf("| `%s` | %s | %s |", x.ID, x.Says, jobs))
	}
}
