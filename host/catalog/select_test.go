package catalog_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/catalog"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/schema"
)

const manifest = `flavor "cloud" {
  version      = "0.1.0"
  protocol     = [1]
  summary      = "Runs a step in a test."
  environment  = ["none"]
  capabilities = ["cancel", "logs"]
  secrets      = "none"
  outputs      = "none"
  handles      = [1]
  submission {
    idempotency = "none"
    settle      = "1s"
    keeps       = "1s"
  }
  config "role" {
    type        = string
    description = "A role."
  }
}
`

// newCatalog knows the manifest of the flavor cloud, which nothing can run.
func newCatalog(t *testing.T) *catalog.Catalog {
	c := catalog.New(catalog.Options{Home: home.At(t.TempDir())})
	path := filepath.Join(t.TempDir(), "cloud.flavor.hcl")
	require.NoError(t, os.WriteFile(path, []byte(manifest), 0o644))
	_, err := c.Registry().Register(t.Context(), path, registry.RegisterOptions{})
	require.NoError(t, err)
	return c
}

func read(t *testing.T, c *catalog.Catalog, text string) *project.Project {
	t.Helper()
	p, _, err := c.Project(t.Context(), catalog.ProjectOptions{Dir: t.TempDir(), Files: []string{"-"}, Stdin: strings.NewReader(text)})
	require.NoError(t, err)
	return p
}

const (
	operatorA = "operator \"a\" {\n  flavor = \"cloud\"\n  config {\n    role = \"x\"\n  }\n}\n"
	operatorB = "operator \"b\" {\n  flavor = \"cloud\"\n  config {\n    role = \"y\"\n  }\n}\n"
	step      = "step \"s\" {\n  command = [\"true\"]\n}\n"
)

func TestWhichOperator(t *testing.T) {
	for _, tc := range []struct {
		name, project   string
		stored          []string
		chosen          string // by `operator default`
		want            string
		registered      bool
		summary, detail string
	}{
		{name: "none", project: step, summary: "there is no operator to launch with"},
		{name: "the only one", project: step + operatorA, want: "a"},
		{name: "the only stored one", project: step, stored: []string{"a"}, want: "a", registered: true},
		{name: "the project's hides a stored one", project: step + operatorA, stored: []string{"a"}, want: "a"},
		{name: "two", project: step + operatorB, stored: []string{"a"}, summary: "the step names no operator", detail: "There are: b, a."},
		{name: "the default of two", project: step + operatorB, stored: []string{"a"}, chosen: "a", want: "a", registered: true},
		{name: "the project's default comes first", project: step + strings.Replace(operatorB, "flavor", "default = true\n  flavor", 1),
			stored: []string{"a"}, chosen: "a", want: "b"},
		{name: "the step's own", project: strings.Replace(step, "command", "operator = \"b\"\n  command", 1) + operatorA + operatorB, want: "b"},
		{name: "no such step, and several operators", project: strings.ReplaceAll(step, `"s"`, `"sa"`) + operatorA + operatorB,
			summary: "No such step", detail: `Did you mean "sa"?`},
		{name: "one that is not there", project: strings.Replace(step, "command", "operator = \"c\"\n  command", 1) + operatorA, summary: `there is no operator "c"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newCatalog(t)
			for _, name := range tc.stored {
				_, err := c.Registry().PutOperatorText(t.Context(), []byte(strings.ReplaceAll(operatorA, `"a"`, `"`+name+`"`)), registry.WriteOptions{})
				require.NoError(t, err)
			}
			if tc.chosen != "" {
				require.NoError(t, c.Registry().SetDefaultOperator(t.Context(), tc.chosen))
			}
			sel, err := c.Select(t.Context(), catalog.StepRequest{Project: read(t, c, tc.project), Step: "s", Stage: schema.StageStep})
			if tc.summary != "" {
				require.Error(t, err)
				var diags hcl.Diagnostics
				if errors.As(err, &diags) {
					assert.Equal(t, tc.summary, diags[0].Summary)
					assert.Contains(t, diags[0].Detail, tc.detail)
					return
				}
				p := problem.Of(err)
				assert.Contains(t, p.Error(), tc.summary)
				assert.Contains(t, p.Detail, tc.detail)
				assert.NotEmpty(t, p.Next)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, sel.Operator.Name)
			assert.Equal(t, tc.registered, sel.Registered)
			assert.Equal(t, "cloud", sel.Flavor.Name)
		})
	}
}

// TestChosen: it is called between the choice and the step, and its error is the
// selection's.
func TestChosen(t *testing.T) {
	c := newCatalog(t)
	calls := 0
	q := catalog.StepRequest{Project: read(t, c, step+operatorA), Step: "s", Stage: schema.StageStep,
		Chosen: func(_ context.Context, sel *catalog.Selection) error {
			calls++
			assert.Equal(t, "a", sel.Operator.Name)
			assert.NotNil(t, sel.Manifest)
			assert.Nil(t, sel.Resolved)
			return nil
		}}
	sel, err := c.Select(t.Context(), q)
	require.NoError(t, err)
	assert.Equal(t, 1, calls)
	assert.NotNil(t, sel.Resolved)

	wrong := errors.New("no")
	q.Chosen = func(context.Context, *catalog.Selection) error { return wrong }
	_, err = c.Select(t.Context(), q)
	assert.ErrorIs(t, err, wrong)
}

// TestOnce: one command sees one state; a catalog that lives on sees changes.
func TestOnce(t *testing.T) {
	for _, once := range []bool{false, true} {
		at := home.At(t.TempDir())
		c := catalog.New(catalog.Options{Home: at, Once: once})
		register := func(version string) {
			path := filepath.Join(t.TempDir(), "cloud.flavor.hcl")
			require.NoError(t, os.WriteFile(path, []byte(strings.Replace(manifest, "0.1.0", version, 1)), 0o644))
			_, err := c.Registry().Register(t.Context(), path, registry.RegisterOptions{})
			require.NoError(t, err)
		}
		version := func(ref string) string {
			f, err := c.Flavor(t.Context(), ref)
			require.NoError(t, err)
			return f.Version
		}
		_, err := c.Flavor(t.Context(), "cloud")
		require.Error(t, err, "what is not there is looked for again")
		register("0.1.0")
		assert.Equal(t, "0.1.0", version("cloud"))
		register("0.2.0")
		want := "0.2.0"
		if once {
			want = "0.1.0"
		}
		assert.Equal(t, want, version("cloud"), "once: %v", once)
		assert.Equal(t, "0.2.0", version("cloud@0.2.0"))
	}
}
