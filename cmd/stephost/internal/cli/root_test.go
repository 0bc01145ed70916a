package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A new user's first minutes: each command line says what to do next.
func TestFirstMinutes(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	golden(t, "first_minutes", w.transcript(
		[]string{},
		[]string{"flavr"},
		[]string{"flavor", "lst"},
		[]string{"operator", "nonsense"},
		[]string{"flavor", "list", "--outptu", "json"},
		[]string{"flavor", "list", "-o", "yaml"},
		[]string{"flavor", "list", "extra"},
		[]string{"flavor", "describe", "clowd"},
		[]string{"flavor", "describe"},
		[]string{"flavor", "register", "nothing-here"},
		[]string{"flavor", "register", "my.flavors.CloudFlavor"},
		[]string{"operator", "register", "gpu", "--flavor=clowd"},
		[]string{"operator", "register", "gpu"},
		[]string{"operator", "register", "gpu", "--flavour=cloud"},
		[]string{"operator", "list"},
		[]string{"operator", "default"},
		[]string{"operator", "describe", "gpu"},
		[]string{"plan", "train", "-C", w.dir},
		[]string{"validate", "-C", w.dir},
		[]string{"validate", "train.hcl"},
		[]string{"help", "flavors"},
		[]string{"help", "flavor", "lst"},
		[]string{"operator", "register", "gpu", "--flavor=cloud", "--role=x", "--spot", "false"},
	))
	w.neverRan()
}

func TestHelpAtEachLevel(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	golden(t, "help", w.transcript(
		[]string{"--help"},
		[]string{"flavor"},
		[]string{"flavor", "register", "--help"},
		[]string{"operator", "--help"},
		[]string{"step-operator", "flavor", "list", "--help"},
		[]string{"operator", "register", "--help"},
		[]string{"operator", "register", "gpu", "--flavor=cloud", "--help"},
		[]string{"validate", "--help"},
	))
	w.neverRan()
}

// Every command has a help with its use, and none of them panics (two flags of
// one name would).
func TestEveryCommandHasHelp(t *testing.T) {
	w := newWorld(t)
	seen := 0
	var walk func(path []string)
	walk = func(path []string) {
		r := w.run(append(path, "--help")...)
		require.Zero(t, r.code, "%v: %s", path, r.err)
		assert.Contains(t, r.out, "Usage:\n  stephost", "%v", path)
		seen++
		_, list, ok := strings.Cut(r.out, "COMMAND\n")
		if !ok {
			return
		}
		for _, line := range strings.Split(list, "\n") {
			name, _, _ := strings.Cut(strings.TrimPrefix(line, "  "), " ")
			if strings.HasPrefix(line, "  ") && len(line) > 2 && line[2] != ' ' && line[2] != '-' && name != "stephost" && name != "help" &&
				!strings.Contains(line, "/") && len(path) < 2 && !strings.Contains(name, ",") {
				if sub := w.run(append(append([]string{}, path...), name, "--help")...); sub.code == 0 {
					walk(append(append([]string{}, path...), name))
				}
			}
		}
	}
	walk(nil)
	assert.Greater(t, seen, 25)
}

func TestVersion(t *testing.T) {
	w := newWorld(t)
	r := w.run("version", "--output", "json")
	require.Zero(t, r.code)
	var doc struct {
		V    int
		Item struct {
			Version, SDK, Go, OS, Arch string
			Protocol                   []int
		}
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &doc))
	assert.Equal(t, 1, doc.V)
	assert.Equal(t, []int{1}, doc.Item.Protocol)
	assert.Equal(t, runtime.Version(), doc.Item.Go)
	assert.Equal(t, w.run("--version").out, w.run("version").out)
}

// A home that cannot be is said with what to do; nothing is half done.
func TestHomes(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(w.base, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for name, home := range map[string]string{"below a file": filepath.Join(file, "home"), "nowhere": "/proc/none/home"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("STEPHOST_HOME", home)
			r := w.run("flavor", "register", w.plug)
			assert.Equal(t, 125, r.code)
			assert.Contains(t, r.err, "Next: ")
			r = w.run("version")
			assert.Zero(t, r.code, "what needs no home works without one")
		})
	}
	t.Run("none", func(t *testing.T) {
		for _, v := range []string{"STEPHOST_HOME", "XDG_DATA_HOME", "HOME"} {
			t.Setenv(v, "")
		}
		r := w.run("flavor", "list")
		assert.Equal(t, 125, r.code)
		assert.Contains(t, r.err, "Next: set STEPHOST_HOME")
	})
	w.neverRan()
}

// With --output json every answer is one JSON document on stdout, errors too.
func TestJSONEverywhere(t *testing.T) {
	w := newWorld(t)
	w.write("stephost.hcl", sampleProject)
	bad := filepath.Join(w.base, "bad.hcl")
	require.NoError(t, os.WriteFile(bad, []byte("step \"x\" {\n  comand = []\n}\n"), 0o600))
	for _, args := range [][]string{
		{"flavor", "register", w.plug},
		{"flavor", "list"},
		{"flavor", "describe", "cloud"},
		{"flavor", "verify"},
		{"flavor", "docs", "cloud"},
		{"flavor", "schema", "cloud"},
		{"flavor", "describe", "none"},
		{"operator", "register", "gpu", "--flavor=cloud", "--role=train"},
		{"operator", "register", "gpu", "--flavor=cloud", "--role=BAD"},
		{"operator", "register", "gpu", "--flavor=cloud", "--rle=BAD"},
		{"operator", "update", "gpu", "--volume-size=40"},
		{"operator", "list"},
		{"operator", "describe", "gpu"},
		{"operator", "copy", "gpu", "other"},
		{"operator", "rename", "other", "third"},
		{"operator", "default", "gpu"},
		{"operator", "default"},
		{"operator", "delete", "third"},
		{"operator", "delete", "third"},
		{"validate", "-C", w.dir},
		{"validate", "-f", bad},
		{"version"},
		{"flavor", "nonsense"},
	} {
		r := w.run(append([]string{"--output=json"}, args...)...)
		var doc map[string]json.RawMessage
		if !assert.NoError(t, json.Unmarshal([]byte(r.out), &doc), "%v: %s%s", args, r.out, r.err) {
			continue
		}
		if len(args) < 2 || args[1] != "schema" {
			assert.JSONEq(t, "1", string(doc["v"]), "%v", args)
		}
		if r.code != 0 {
			assert.True(t, doc["error"] != nil || doc["diagnostics"] != nil, "%v: %s", args, r.out)
		}
	}
	w.neverRan()
}
