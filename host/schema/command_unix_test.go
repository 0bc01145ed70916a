//go:build unix

package schema_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/schema"
)

func TestCommandSecrets(t *testing.T) {
	r := schema.OSResolver(t.Context())
	v, err := r.Secret(`cmd:printf '%s\n' "a b" `)
	require.NoError(t, err)
	assert.Equal(t, "a b", v)
	v, err = r.Secret(`cmd:printf %s $HOME`)
	require.NoError(t, err)
	assert.Equal(t, "$HOME", v, "no shell")
	for line, want := range map[string]string{
		`cmd:false`:                             "exit status 1",
		`cmd:/no/such/program`:                  "no such file",
		`cmd:true`:                              "printed nothing",
		`cmd:sh -c 'printf "\377"'`:             "not UTF-8",
		`cmd:sh -c 'head -c 2000000 /dev/zero'`: "more than",
		`cmd:"open`:                             "not closed",
		`cmd:''`:                                "names no command",
	} {
		_, err := r.Secret(line)
		assert.ErrorContains(t, err, want, line)
	}
	_, err = r.Secret(`cmd:sh -c 'echo hunter2; echo locked >&2; exit 3'`)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "hunter2")

	// Standard input is empty: a command that asks does not hang.
	_, err = r.Secret(`cmd:cat`)
	assert.ErrorContains(t, err, "printed nothing")
	// A child in the background keeps the output open; the answer counts.
	pid := filepath.Join(t.TempDir(), "pid")
	t.Cleanup(func() {
		b, err := os.ReadFile(pid)
		require.NoError(t, err)
		n, err := strconv.Atoi(strings.TrimSpace(string(b)))
		require.NoError(t, err)
		p, err := os.FindProcess(n)
		require.NoError(t, err)
		require.NoError(t, p.Kill())
	})
	v, err = r.Secret(`cmd:sh -c 'sleep 300 & echo $! > ` + pid + `; echo x'`)
	require.NoError(t, err)
	assert.Equal(t, "x", v)
}
