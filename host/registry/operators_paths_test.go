package registry_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/registry"
)

// A relative path means the same file after the operator was stored.
func TestStoredPaths(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{`a = file("sd") # kept`, `a = file("/base/sd") # kept`},
		{`a = [ (file( "../x y" )), file("/abs") ]`, `a = [ (file( "/x y" )), file("/abs") ]`},
		{`a = { b = "x${file("sd")}" }`, `a = { b = "x${file("/base/sd")}" }`},
		{`a = secret("file:tok")`, `a = secret("file:/base/tok")`},
		{`a = secret("env:tok")`, ""},
		{`a = secret("cmd:./ask ${upper("x")}")`, ""},
		{`a = file("${env("HOME")}/x")`, ""},
		{`a = secret("file:${env("HOME")}/x")`, ""},
		{`a = file("/x/${env("Y")}")`, ""},
		{`a = file(env("HERE"))`, ""},
		{`a = file(format("/x/%s", "y"))`, ""},
		{`a = file(true ? "/x" : "${env("Y")}")`, ""},
		{`a = file(true ? "/x" : "y")`, "refused"},
		{`a = file(format("%s/y", "x"))`, "refused"},
		{`a = file("x/${env("Y")}")`, "refused"},
		{`a = secret("${lower("F")}ile:x")`, "refused"},
		{`a = "sd"`, ""},
	} {
		s := setup(t)
		text := "operator \"o\" {\n  flavor = \"local\"\n  config {\n    " + tc.line + "\n  }\n}\n"
		op, err := s.reg.PutOperatorText(ctx, []byte(text), registry.WriteOptions{Dir: "/base"})
		_, splitErr := s.reg.SplitOperators("o.hcl", []byte(text))
		if tc.want == "refused" {
			var diags hcl.Diagnostics
			require.ErrorAs(t, err, &diags, tc.line)
			assert.Equal(t, "A path made by an expression", diags[0].Summary)
			require.ErrorAs(t, splitErr, &diags, tc.line)
			assert.Equal(t, "o.hcl", diags[0].Subject.Filename, "it is shown where it was written")
			continue
		}
		require.NoError(t, err, tc.line)
		require.NoError(t, splitErr, tc.line)
		if tc.want == "" {
			tc.want = tc.line
		}
		assert.Equal(t, strings.Replace(text, tc.line, tc.want, 1), string(op.Source))
	}
}

func TestStoredPathsOfEnvironments(t *testing.T) {
	s := setup(t)
	text := `operator "o" {
  flavor = "local"
  environment {
    requirements_file = "r.txt"
    dockerfile        = "${env("HOME")}/Dockerfile"
    source {
      path = "."
    }
  }
}
`
	op, err := s.reg.PutOperatorText(ctx, []byte(text), registry.WriteOptions{Dir: "/base"})
	require.NoError(t, err)
	assert.Equal(t, strings.NewReplacer(`"r.txt"`, `"/base/r.txt"`, `"."`, `"/base"`).Replace(text), string(op.Source))
}

func TestSplitRefusesTwoOfOneName(t *testing.T) {
	s := setup(t)
	one := "operator \"a\" {\n  flavor = \"local\"\n}\n"
	_, err := s.reg.SplitOperators("team.hcl", []byte(one+one))
	assert.ErrorContains(t, err, `The operator "a" is declared twice; the first is at team.hcl:1.`)
}
