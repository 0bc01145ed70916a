package registry_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/registry"
)

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

func (s fixture) operatorText(name string) []byte {
	data, err := os.ReadFile(filepath.Join(s.home.Operators(), name+".hcl"))
	require.NoError(s.T, err)
	return data
}

func spec() registry.OperatorSpec {
	return registry.OperatorSpec{Name: "gpu", Flavor: "sagemaker@0.1.0", Attrs: []registry.Attr{
		{Path: "config.role", Value: cty.StringVal("train ${x}")},
		{Path: "config.tags", Value: cty.MapVal(map[string]cty.Value{"a": cty.StringVal("b")})},
		{Path: "config.big", Value: cty.MustParseNumberVal("9007199254740993")},
		{Path: "config.token", Expr: `env("TOKEN")`},
		{Path: "environment.base_image", Value: cty.StringVal("python:3.11-slim")},
	}}
}

func TestPutOperator(t *testing.T) {
	s := setup(t)
	op, err := s.reg.PutOperator(ctx, spec(), registry.WriteOptions{})
	require.NoError(t, err)
	assert.Equal(t, "sagemaker@0.1.0", op.Flavor)
	golden(t, "put.hcl", s.operatorText("gpu"))
	info, err := os.Stat(op.File)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())

	decoded, diags := op.Decode()
	require.False(t, diags.HasErrors(), diags)
	require.NotNil(t, decoded)
	assert.Equal(t, "gpu", decoded.Name)
	assert.Len(t, decoded.Config, 4)

	_, err = s.reg.PutOperator(ctx, spec(), registry.WriteOptions{})
	require.NoError(t, err, "the same again is no change")
	other := spec()
	other.Attrs[0].Value = cty.StringVal("other")
	_, err = s.reg.PutOperator(ctx, other, registry.WriteOptions{})
	assert.EqualError(t, err, "operator gpu: it exists already, with other values")
	_, err = s.reg.PutOperator(ctx, other, registry.WriteOptions{Replace: true})
	require.NoError(t, err)
	assert.Contains(t, string(s.operatorText("gpu")), `"other"`)
}

func TestPutOperatorRefuses(t *testing.T) {
	s := setup(t)
	for _, name := range []string{"", "..", "../x", "Gpu", "a b", "-x", strings.Repeat("x", 64), "a/b", "x.hcl", "ü"} {
		_, err := s.reg.PutOperator(ctx, registry.OperatorSpec{Name: name, Flavor: "local"}, registry.WriteOptions{})
		p := problemOf(t, err)
		assert.Contains(t, p.Summary, "is no name for an operator", name)
		assert.Contains(t, p.Detail, "lower-case letters, digits")
	}
	for _, a := range []registry.Attr{
		{Path: "config.x", Value: cty.StringVal("s").Mark("sensitive")},
		{Path: "config.x", Value: cty.UnknownVal(cty.String)},
		{Path: "config.x"},
		{Path: "config.x", Expr: "1\ny = 2"},
		{Path: "config.x", Expr: "1 }"},
		{Path: "config.x y", Value: cty.True},
		{Path: "config.", Value: cty.True},
		{Path: "", Value: cty.True},
	} {
		_, err := s.reg.PutOperator(ctx, registry.OperatorSpec{Name: "gpu", Flavor: "local", Attrs: []registry.Attr{a}}, registry.WriteOptions{})
		assert.Error(t, err, "%#v", a)
	}
	_, err := s.reg.PutOperator(ctx, registry.OperatorSpec{Name: "gpu", Flavor: "../x"}, registry.WriteOptions{})
	assert.ErrorContains(t, err, "Not a flavor")
	stop := errors.New("does not fit the schema")
	_, err = s.reg.PutOperator(ctx, spec(), registry.WriteOptions{Check: func(_ context.Context, o *registry.Operator) error {
		assert.Contains(t, string(o.Source), "base_image")
		return stop
	}})
	require.ErrorIs(t, err, stop)
	op, err := s.reg.PutOperator(ctx, spec(), registry.WriteOptions{DryRun: true})
	require.NoError(t, err)
	assert.NotEmpty(t, op.Source)
	list, err := s.reg.Operators(ctx)
	require.NoError(t, err)
	assert.Empty(t, list, "nothing was written")
}

const handwritten = `# Our GPUs. Ask Kim before you change the role.
operator "gpu" {
  flavor = "sagemaker@0.1.0" # pinned

  config {
    # the role of the team
    role          = "train"
    instance-type = "ml.g5.xlarge" // a10g
  }
  environment { base_image = "python:3.11-slim" }
}
# the end
`

func TestUpdateKeepsComments(t *testing.T) {
	s := setup(t)
	write(t, filepath.Join(s.home.Operators(), "gpu.hcl"), handwritten, 0o600)
	op, err := s.reg.UpdateOperator(ctx, "gpu", registry.OperatorChange{
		Flavor: "sagemaker@0.2.0",
		Set: []registry.Attr{
			{Path: "config.instance_type", Value: cty.StringVal("ml.p4d.24xlarge")},
			{Path: "config.volume_size", Value: cty.NumberIntVal(50)},
			{Path: "environment.platform", Value: cty.StringVal("linux/amd64")},
			{Path: "timeouts.run", Expr: `"2h"`},
			{Path: "env", Expr: "{\n  A = \"b\"\n}"},
		},
		Unset: []string{"config.role", "config.nothing", "retry.user"},
	}, registry.WriteOptions{})
	require.NoError(t, err)
	assert.Equal(t, "sagemaker@0.2.0", op.Flavor)
	golden(t, "update.hcl", s.operatorText("gpu"))
	_, diags := op.Decode()
	assert.False(t, diags.HasErrors(), diags)

	before := s.operatorText("gpu")
	_, err = s.reg.UpdateOperator(ctx, "gpu", registry.OperatorChange{Set: []registry.Attr{{Path: "config.x", Expr: "(("}}}, registry.WriteOptions{})
	require.Error(t, err)
	assert.Equal(t, before, s.operatorText("gpu"))
}

func TestRenameAndCopy(t *testing.T) {
	s := setup(t)
	write(t, filepath.Join(s.home.Operators(), "gpu.hcl"), handwritten, 0o600)
	require.NoError(t, s.reg.SetDefaultOperator(ctx, "gpu"))
	_, err := s.reg.CopyOperator(ctx, "gpu", "other")
	require.NoError(t, err)
	assert.Equal(t, strings.Replace(handwritten, `"gpu"`, `"other"`, 1), string(s.operatorText("other")))
	op, err := s.reg.RenameOperator(ctx, "gpu", "big-gpu")
	require.NoError(t, err)
	assert.True(t, op.Default)
	assert.Equal(t, strings.Replace(handwritten, `"gpu"`, `"big-gpu"`, 1), string(s.operatorText("big-gpu")))
	_, err = s.reg.Operator(ctx, "gpu")
	assert.ErrorContains(t, err, `there is no operator "gpu"`)
	name, err := s.reg.DefaultOperator(ctx)
	require.NoError(t, err)
	assert.Equal(t, "big-gpu", name)
	_, err = s.reg.RenameOperator(ctx, "big-gpu", "other")
	assert.EqualError(t, err, "operator other: it exists already")
	_, err = s.reg.RenameOperator(ctx, "big-gpu", "../x")
	assert.ErrorContains(t, err, "is no name for an operator")
}

func TestDefaultOperator(t *testing.T) {
	s := setup(t)
	name, err := s.reg.DefaultOperator(ctx)
	require.NoError(t, err)
	assert.Empty(t, name)
	assert.ErrorContains(t, s.reg.SetDefaultOperator(ctx, "gpu"), `there is no operator "gpu"`)
	_, err = s.reg.PutOperator(ctx, spec(), registry.WriteOptions{})
	require.NoError(t, err)
	require.NoError(t, s.reg.SetDefaultOperator(ctx, "gpu"))
	op, err := s.reg.Operator(ctx, "gpu")
	require.NoError(t, err)
	assert.True(t, op.Default)
	require.NoError(t, os.Remove(op.File))
	_, err = s.reg.DefaultOperator(ctx)
	assert.Contains(t, problemOf(t, err).Next, "stephost operator default NAME")
	require.NoError(t, s.reg.SetDefaultOperator(ctx, ""))
	name, err = s.reg.DefaultOperator(ctx)
	require.NoError(t, err)
	assert.Empty(t, name)
}

func TestDeleteOperator(t *testing.T) {
	s := setup(t)
	_, err := s.reg.PutOperator(ctx, spec(), registry.WriteOptions{})
	require.NoError(t, err)
	require.NoError(t, s.reg.SetDefaultOperator(ctx, "gpu"))
	assert.EqualError(t, s.reg.DeleteOperator(ctx, "gpu", func(string) bool { return true }), "operator gpu: it is in use by a run")
	assert.Equal(t, "did you mean gpu?", problemOf(t, s.reg.DeleteOperator(ctx, "gpuu", nil)).Next)
	assert.Error(t, s.reg.DeleteOperator(ctx, "../operators/gpu", nil))
	require.NoError(t, s.reg.DeleteOperator(ctx, "gpu", nil))
	name, err := s.reg.DefaultOperator(ctx)
	require.NoError(t, err)
	assert.Empty(t, name)
	write(t, filepath.Join(s.home.Operators(), "broken.hcl"), "{{{", 0o600)
	require.NoError(t, s.reg.DeleteOperator(ctx, "broken", nil), "a broken one can be deleted")
}

func TestOperatorFilesByHand(t *testing.T) {
	s := setup(t)
	_, err := s.reg.PutOperator(ctx, spec(), registry.WriteOptions{})
	require.NoError(t, err)
	for name, tc := range map[string]struct{ text, want string }{
		"syntax":   {"operator \"syntax\" {\n", ""},
		"label":    {"operator \"other\" {\n  flavor = \"x\"\n}\n", "Name and file differ"},
		"two":      {"operator \"two\" {\n  flavor = \"x\"\n}\noperator \"three\" {\n  flavor = \"x\"\n}\n", "Not an operator file"},
		"noflavor": {"operator \"noflavor\" {\n}\n", "Missing flavor"},
		"number":   {"operator \"number\" {\n  flavor = 1\n}\n", "Flavor is not a text"},
		"chosen":   {"operator \"chosen\" {\n  flavor = \"x\"\n  default = true\n}\n", "The default is not set here"},
		"Capital":  {"operator \"Capital\" {\n  flavor = \"x\"\n}\n", "its name is no name for an operator"},
		"binary":   {"\x00\x01", ""},
	} {
		write(t, filepath.Join(s.home.Operators(), name+".hcl"), tc.text, 0o600)
		list, err := s.reg.Operators(ctx)
		require.NoError(t, err)
		for _, o := range list {
			if o.Name == name {
				require.ErrorContains(t, o.Err, tc.want, name)
			} else if o.Name == "gpu" {
				require.NoError(t, o.Err, "a bad file harms only itself")
			}
		}
	}
	// Registering over such a file says what is wrong with it.
	_, err = s.reg.PutOperator(ctx, registry.OperatorSpec{Name: "noflavor", Flavor: "local"}, registry.WriteOptions{})
	var diags hcl.Diagnostics
	require.ErrorAs(t, err, &diags)
	assert.Equal(t, "Missing flavor", diags[0].Summary)
	assert.Contains(t, diags[0].Detail, "Correct the file, or replace it: --replace.")
	_, err = s.reg.PutOperator(ctx, registry.OperatorSpec{Name: "noflavor", Flavor: "local"}, registry.WriteOptions{Replace: true})
	require.NoError(t, err)
	// An edit is honoured at once.
	text := strings.Replace(string(s.operatorText("gpu")), "sagemaker@0.1.0", "vertex", 1)
	write(t, filepath.Join(s.home.Operators(), "gpu.hcl"), text, 0o600)
	op, err := s.reg.Operator(ctx, "gpu")
	require.NoError(t, err)
	assert.Equal(t, "vertex", op.Flavor)
}

func TestApply(t *testing.T) {
	s := setup(t)
	file := `variable "x" {
  type = string
}

# first
# of two
operator "one" {
  flavor  = "local" # here
  default = true
  config {
    dir = "a"
  }
}

operator "two" {
  flavor = "local"
}
`
	texts, err := s.reg.SplitOperators("team.hcl", []byte(file))
	require.NoError(t, err)
	require.Len(t, texts, 2)
	for _, text := range texts {
		_, err := s.reg.PutOperatorText(ctx, text, registry.WriteOptions{})
		require.NoError(t, err)
	}
	golden(t, "apply.hcl", s.operatorText("one"))
	name, err := s.reg.DefaultOperator(ctx)
	require.NoError(t, err)
	assert.Equal(t, "one", name)
	_, err = s.reg.SplitOperators("team.hcl", []byte("locals {\n}\n"))
	assert.ErrorContains(t, err, "No operator in this file")
	_, err = s.reg.SplitOperators("team.hcl", []byte("{{{"))
	assert.Error(t, err)
}
