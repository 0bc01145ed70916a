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

// What watches a run ends in a result, also when there is none to watch; so a program
// reads the last line and knows.
func TestJSONStreamsEndInAResult(t *testing.T) {
	w := newWorld(t)
	for _, args := range [][]string{
		{"launch", "--nope"}, {"launch", "a", "b"}, {"launch", "-C", w.dir},
		{"run", "attach", "nope"}, {"run", "wait", "nope"}, {"run", "cancel", "nope"}, {"run", "wait"}, {"run", "cancel", "--token", "nope"}, {"run", "attach", "--nope"},
	} {
		r := w.run(append([]string{"-o", "json"}, args...)...)
		assert.Equal(t, 125, r.code, "%v", args)
		assert.Empty(t, r.err, "%v", args)
		lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
		var doc struct {
			V                        int
			Type, Class, Error, Next string
			Exit                     int
		}
		require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &doc), "%v: %s", args, r.out)
		assert.Equal(t, "result", doc.Type, "%v", args)
		assert.Equal(t, "config", doc.Class, "%v", args)
		assert.Equal(t, 125, doc.Exit, "%v", args)
		assert.NotEmpty(t, doc.Error, "%v", args)
		assert.NotEmpty(t, doc.Next, "%v", args)
	}
	for _, args := range [][]string{{"launch", "nope", "-C", w.dir}, {"launch", "--run-token=", "-C", w.dir}} {
		file := filepath.Join(w.base, "result.json")
		r := w.run(append(args, "-o", "json", "--result-file", file)...)
		kept, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, text := range []string{r.out, string(kept)} {
			assert.Contains(t, text, `"type":"result"`)
			assert.NotContains(t, text, "<nil>")
		}
	}
	// A result that has no file is said before the result on stdout.
	r := w.run("-o", "json", "launch", "-C", w.dir, "--result-file", "/dev/full")
	lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
	require.Len(t, lines, 2, r.out)
	assert.Contains(t, lines[0], `"type":"notice","level":"warning"`)
	assert.Contains(t, lines[1], `"type":"result"`)

	r = w.run("-o", "json", "run", "recover", "--all")
	require.Zero(t, r.code)
	assert.Equal(t, `{"v":1,"type":"notice","level":"info","message":"Every run has somebody that drives it, or is over."}`+"\n", r.out)
	r = w.run("-o", "json", "run", "show", "nope")
	assert.Contains(t, r.out, `{"v":1,"error":{`, "what answers with one document does so with an error, too")
}

// Lists are lists, and what text warns of is in the document.
func TestJSONOfAProjectThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.write("stephost.hcl", "operator {")
	r := w.run("-o", "json", "operator", "list", "-C", w.dir)
	require.Zero(t, r.code)
	assert.Equal(t, `{"v":1,"items":[],"diagnostics":[{"severity":"warning","summary":"The project's operators are not listed",`+
		`"detail":"Its files cannot be read; see `+"`stephost validate`"+`."}]}`+"\n", r.out)
	r = w.run("-o", "json", "validate", "-C", w.dir)
	assert.Equal(t, 125, r.code)
	assert.Contains(t, r.out, `"files":[]`)
}

// Each mistake is answered with what the person may have meant, in the words of the
// command that was written.
func TestWordsOfMistakes(t *testing.T) {
	w := newWorld(t)
	for _, tc := range []struct {
		args []string
		says []string
	}{
		{[]string{"run", "resolve", "x"}, []string{"it is not said what became of the job", "one of --handle HANDLE, --not-submitted and --abandon"}},
		{[]string{"run", "resolve", "x", "--handle="}, []string{"it is not said what became of the job"}},
		{[]string{"run", "resolve", "x", "--abandon", "--not-submitted"}, []string{"only one thing can have become of the job", "--handle HANDLE"}},
		{[]string{"launch", "-C", w.dir}, []string{"there is no step to launch", "stephost launch --operator NAME -- COMMAND [ARG...]"}},
		{[]string{"plan", "-C", w.dir}, []string{"there is no step to plan", "stephost plan --operator NAME -- COMMAND [ARG...]"}},
		{[]string{"build", "-C", w.dir}, []string{"there is no step to build", "stephost build --operator NAME --base-image IMAGE --registry REGISTRY"}},
		{[]string{"flavor", "register", "--all", "./x"}, []string{`got "./x" too`, "`stephost flavor register --all`, or `stephost flavor register PATH`"}},
		{[]string{"launch", "--run-token=", "-C", w.dir, "--", "true"}, []string{"--run-token is empty", "see whether the variable that it comes from is set"}},
		{[]string{"launch", "--again", "-C", w.dir, "--", "true"}, []string{"--again needs --run-token"}},
		{[]string{"run", "show", "--token="}, []string{"--token is empty"}},
		{[]string{"run", "show", "x", "--token="}, []string{"--token is empty"}},
		{[]string{"run", "list", "--limit", "0"}, []string{"--limit 0 is no number of runs", "--all"}},
		{[]string{"run", "list", "--limit=-1"}, []string{"--limit -1 is no number of runs"}},
		{[]string{"run", "prune", "--keep-last=-1"}, []string{"--keep-last -1 is no number of runs"}},
		{[]string{"doctor", "nope", "-C", w.dir}, []string{`there is no operator "nope"`}},
		{[]string{"operator", "help", "nix"}, []string{`there is no command "stephost operator nix"`}},
	} {
		r := w.run(tc.args...)
		assert.Equal(t, 125, r.code, "%v", tc.args)
		for _, text := range tc.says {
			assert.Contains(t, r.err, text, "%v", tc.args)
		}
		assert.Contains(t, r.err, "Next: ", "%v", tc.args)
	}
	w.write("stephost.hcl", "step \"a\" {\n  command = [\"true\"]\n}\nstep \"b\" {\n  command = [\"true\"]\n}\n")
	assert.Contains(t, w.run("plan", "-C", w.dir).err, "name one: stephost plan a")
}

func TestHelpBelowAGroup(t *testing.T) {
	w := newWorld(t)
	for _, tc := range [][2][]string{
		{{"operator", "help"}, {"operator", "--help"}}, {{"run", "help"}, {"help", "run"}}, {{"flavor", "help", "register"}, {"flavor", "register", "--help"}},
		{{"step-operator", "flavor", "help", "list"}, {"step-operator", "flavor", "list", "--help"}},
	} {
		r := w.run(tc[0]...)
		assert.Zero(t, r.code, "%v: %s", tc[0], r.err)
		assert.Equal(t, w.run(tc[1]...).out, r.out, "%v", tc[0])
	}
}

// Flags that may be given several times say so.
func TestRepeatableFlags(t *testing.T) {
	w := newWorld(t)
	for _, command := range []string{"launch", "plan", "build"} {
		_, flags, _ := strings.Cut(w.run(command, "--help").out, "\nFlags:\n")
		page := " " + strings.Join(strings.Fields(flags), " ")
		for _, flag := range []string{"env", "env-file", "label", "requirement", "secret", "set", "source"} {
			_, text, ok := strings.Cut(page, " --"+flag+" ")
			require.True(t, ok, "%s --%s", command, flag)
			text, _, _ = strings.Cut(text, " --")
			assert.Contains(t, text, "(repeatable)", "%s --%s", command, flag)
		}
	}
}

// Where nothing can be looked at, nothing is said to be empty.
func TestPruneWithoutAHome(t *testing.T) {
	w := newWorld(t)
	t.Setenv("STEPHOST_HOME", "/proc/none/home")
	r := w.run("run", "prune")
	assert.Equal(t, 125, r.code)
	assert.NotContains(t, r.out+r.err, "nothing to prune")
	assert.Contains(t, r.err, "Next: ")
}
