package schema_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/schema"
)

func TestOSResolver(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	r := schema.OSResolver(t.Context())
	t.Setenv("STEPHOST_TEST_VALUE", "v")
	t.Setenv("STEPHOST_TEST_EMPTY", "")

	v, err := r.Env("STEPHOST_TEST_VALUE")
	require.NoError(t, err)
	assert.Equal(t, "v", v)
	v, err = r.Env("STEPHOST_TEST_EMPTY")
	require.NoError(t, err)
	assert.Empty(t, v)
	_, err = r.Env("STEPHOST_TEST_NONE")
	assert.ErrorContains(t, err, "STEPHOST_TEST_NONE is not set")

	v, err = r.File(write("a", "x\n\n"))
	require.NoError(t, err)
	assert.Equal(t, "x\n\n", v)
	v, err = r.Secret("file:" + write("b", "x\r\n"))
	require.NoError(t, err)
	assert.Equal(t, "x", v)
	for name, path := range map[string]string{
		"no such":    filepath.Join(dir, "none"),
		"regular":    dir,
		"at most":    write("big", strings.Repeat("x", schema.MaxValue+1)),
		"not UTF-8":  write("binary", "\xff"),
		"UTF-8 text": write("nul", "a\x00b"),
	} {
		_, err = r.File(path)
		assert.ErrorContains(t, err, name)
	}
	_, err = r.Secret("keyring:x/y")
	assert.ErrorContains(t, err, "keyring")
	_, err = r.Secret("hunter2")
	assert.NotContains(t, err.Error(), "hunter2")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = schema.OSResolver(ended).File(filepath.Join(dir, "a"))
	assert.ErrorIs(t, err, context.Canceled)
}

func TestSplitCommand(t *testing.T) {
	for line, want := range map[string][]string{
		`a b  c`: {"a", "b", "c"}, `a 'b c' "d e"`: {"a", "b c", "d e"}, `a\ b`: {"a b"}, `a "" ''`: {"a", "", ""},
		`a "x\"y\z"`: {"a", `x"y\z`}, `a 'x\y'`: {"a", `x\y`}, `op read "op://v/i/f"`: {"op", "read", "op://v/i/f"},
	} {
		got, err := schema.SplitCommand(line)
		assert.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, line := range []string{"", " ", `"a`, `a\`, `'' a`} {
		_, err := schema.SplitCommand(line)
		assert.Error(t, err, line)
	}
}
