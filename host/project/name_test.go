package project_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/project"
)

// named loads what Discover finds from dir, or files, and tells the name.
func named(t *testing.T, o project.LoadOptions) string {
	t.Helper()
	o.Sources = &diag.Sources{}
	if o.Files == nil {
		var err error
		o.Files, err = project.Discover(o.Dir)
		require.NoError(t, err)
	}
	p, diags := project.Load(context.Background(), o)
	require.False(t, diags.HasErrors(), "%s", diags)
	return p.Name()
}

// A project is called what it says, else as its directory, from wherever below.
func TestName(t *testing.T) {
	dir := files(t, map[string]string{
		"digits/stephost.hcl": "", "digits/deep/er/x": "", "digits/.git/HEAD": "",
		"own/stephost.hcl": "project {\n  name = \"Digits, v2\"\n}\n", "own/deep/x": "",
		"later/stephost.hcl": "", "later/more.stephost.hcl": "project {\n  name = \"later on\"\n}\n",
		"var/stephost.hcl":  "variable \"n\" { default = \"one\" }\nproject {\n  name = \"digits-${var.n}\"\n}\n",
		"null/stephost.hcl": "project {\n  name = null\n}\n", "bare/.git/HEAD": "", " /stephost.hcl": "",
	})
	for _, tc := range []struct {
		what string
		o    project.LoadOptions
		want string
	}{
		{"its directory", project.LoadOptions{Dir: "digits"}, "digits"},
		{"from below", project.LoadOptions{Dir: "digits/deep/er"}, "digits"},
		{"as it says", project.LoadOptions{Dir: "own"}, "Digits, v2"},
		{"as it says, from below", project.LoadOptions{Dir: "own/deep"}, "Digits, v2"},
		{"as another file says", project.LoadOptions{Dir: "later"}, "later on"},
		{"as a variable says", project.LoadOptions{Dir: "var", Vars: map[string]string{"n": "two"}}, "digits-two"},
		{"null is not set", project.LoadOptions{Dir: "null"}, "null"},
		{"no project", project.LoadOptions{Dir: "bare"}, ""},
		{"a blank directory", project.LoadOptions{Dir: " "}, ""},
		{"files of elsewhere", project.LoadOptions{Dir: "bare", Files: []string{"../own/../digits/stephost.hcl"}}, "digits"},
		{"standard input", project.LoadOptions{Dir: "digits", Files: []string{"-"}, Stdin: strings.NewReader("")}, ""},
		{"standard input that says it", project.LoadOptions{Dir: "bare", Files: []string{"-"}, Stdin: strings.NewReader(`{"project": {"name": "argo"}}`)}, "argo"},
		{"standard input and a file", project.LoadOptions{Dir: "bare", Files: []string{"-", "../digits/stephost.hcl"}, Stdin: strings.NewReader("")}, "digits"},
	} {
		tc.o.Dir = filepath.Join(dir, tc.o.Dir)
		assert.Equal(t, tc.want, named(t, tc.o), tc.what)
	}
	assert.Empty(t, (*project.Project)(nil).Name())
}

// What Load refuses of the project block.
func TestNameSlips(t *testing.T) {
	w := loadFiles(t, map[string]string{
		"stephost.hcl": `
project {
  name = env("PROJECT")
}
project {
  name = "twice"
}
step "a" { command = ["x"] }
`,
		"a.stephost.hcl": "project \"labelled\" {\n}\n",
	})
	golden(t, "name_slips.golden", w.text(w.diags))
	for name, text := range map[string]string{
		"none": "project {\n}\n", "unknown": "project {\n  nam = \"x\"\n}\n", "empty": "project {\n  name = \" \"\n}\n", "list": "project {\n  name = [1]\n}\n",
		"two lines": "project {\n  name = \"a\\nb\"\n}\n", "long": "project {\n  name = \"" + strings.Repeat("x", 257) + "\"\n}\n",
		"secret": "project {\n  name = secret(\"env:X\")\n}\n", "attribute": "project = \"digits\"\n",
	} {
		assert.True(t, load(t, text).diags.HasErrors(), name)
	}
}

// A token joins its run from a directory that was renamed: the project is in the
// record, and not in what is compared.
func TestNameIsNotDefinition(t *testing.T) {
	resolved := func(text string) *project.Resolved {
		w := load(t, text)
		require.Empty(t, w.text(w.diags))
		got, diags := w.resolve(w.request(flavor(t, cloud), "train", "gpu"))
		require.Empty(t, diags)
		assert.Equal(t, w.project.Name(), got.Project)
		return got
	}
	one, two := resolved(sample), resolved(sample+"project {\n  name = \"other\"\n}\n")
	assert.Equal(t, "other", two.Project)
	assert.NotEqual(t, one.Project, two.Project)
	assert.Equal(t, string(one.Definition()), string(two.Definition()))
	diff, err := project.DiffDefinitions(one.Definition(), two.Definition())
	require.NoError(t, err)
	assert.Empty(t, diff)
}
