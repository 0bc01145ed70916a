package registry_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/registry"
)

// What is not changed keeps its bytes, whatever layout a person chose.
func TestUpdateKeepsLayout(t *testing.T) {
	const odd = "operator \"gpu\" {\n\tflavor =   \"cloud@0.1.0\"\n  config {\n    l = [ \"x\", # one\n      \"y\" ]\n    any   =  \"z\"  // k\n  }\n\n\n  labels = {a=\"b\"}\n}\n"
	set := func(path, text string) registry.OperatorChange {
		return registry.OperatorChange{Set: []registry.Attr{{Path: path, Value: cty.StringVal(text)}}}
	}
	for _, tc := range []struct {
		name, old string
		change    registry.OperatorChange
		want      string
	}{
		{"a new value", odd, set("config.role", "b"), strings.Replace(odd, "// k\n", "// k\n    role = \"b\"\n", 1)},
		{"another value", odd, set("config.any", "q"), strings.Replace(odd, "any   =  \"z\"  // k", "any = \"q\" // k", 1)},
		{"the same value", odd, set("config.any", "z"), odd},
		{"blanks in a value", strings.Replace(odd, `"z"`, `"a b"`, 1), set("config.any", "ab"), strings.Replace(odd, "any   =  \"z\"  // k", "any = \"ab\" // k", 1)},
		{"a value less", odd, registry.OperatorChange{Unset: []string{"config.any"}}, strings.Replace(odd, "    any   =  \"z\"  // k\n", "", 1)},
		{"a new block", odd, set("environment.base_image", "i"),
			strings.Replace(odd, "{a=\"b\"}\n", "{a=\"b\"}\n  environment {\n    base_image = \"i\"\n  }\n", 1)},
		{"another flavor", odd, registry.OperatorChange{Flavor: "cloud@0.2.0"}, strings.Replace(odd, "\tflavor =   \"cloud@0.1.0\"", "  flavor = \"cloud@0.2.0\"", 1)},
		{"lines of Windows", strings.ReplaceAll(odd, "\n", "\r\n"), set("config.role", "b"),
			strings.ReplaceAll(strings.Replace(odd, "// k\n", "// k\n    role = \"b\"\n", 1), "\n", "\r\n")},
		{"a byte order mark", "\ufeff" + odd, set("config.role", "b"), "\ufeff" + strings.Replace(odd, "// k\n", "// k\n    role = \"b\"\n", 1)},
		{"a heredoc", strings.Replace(odd, `"z"  // k`, "<<EOT\n  two   lines\nof text\nEOT", 1), set("config.role", "b"),
			strings.Replace(odd, `"z"  // k`, "<<EOT\n  two   lines\nof text\nEOT\n    role = \"b\"", 1)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := setup(t)
			write(t, filepath.Join(s.home.Operators(), "gpu.hcl"), tc.old, 0o600)
			_, err := s.reg.UpdateOperator(ctx, "gpu", tc.change, registry.WriteOptions{})
			require.NoError(t, err)
			assert.Equal(t, tc.want, string(s.operatorText("gpu")))
			_, err = s.reg.RenameOperator(ctx, "gpu", "other")
			require.NoError(t, err)
			assert.Equal(t, strings.Replace(tc.want, `"gpu"`, `"other"`, 1), string(s.operatorText("other")))
		})
	}
}

// Whoever keeps operators in a repository links to them.
func TestUpdateFollowsLinks(t *testing.T) {
	s := setup(t)
	end := write(t, filepath.Join(s.dir, "gpu.hcl"), handwritten, 0o644)
	link := filepath.Join(s.home.Operators(), "gpu.hcl")
	require.NoError(t, os.MkdirAll(s.home.Operators(), 0o700))
	require.NoError(t, os.Symlink(end, link))
	_, err := s.reg.UpdateOperator(ctx, "gpu", registry.OperatorChange{Unset: []string{"config.role"}}, registry.WriteOptions{})
	require.NoError(t, err)
	to, err := os.Readlink(link)
	require.NoError(t, err)
	assert.Equal(t, end, to)
	text, err := os.ReadFile(end)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "role  ")
	info, err := os.Stat(end)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), info.Mode().Perm())
}
