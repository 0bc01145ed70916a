package pluginsdk_test

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/internal/shim"
	"github.com/stephost/stephost/pluginsdk"
)

// nasty is what argv may hold.
var nasty = []string{"$(HOME)", "$$", "${{x}}", "a\rb", "a\nb", `"q" 'q'`, "", strings.Repeat("x", 10<<10), "ü→"}

func built() *pluginsdk.Step {
	return &pluginsdk.Step{Argv: nasty, Environment: pluginsdk.Environment{Image: &pluginsdk.Image{Reference: "r/x@sha256:0", Shim: true}}}
}

func TestContainerArgv(t *testing.T) {
	s := built()
	assert.Equal(t, append([]string{"/.stephost/init"}, nasty...), pluginsdk.ContainerArgv(s))
	s.Environment.Image.Shim = false
	got := pluginsdk.ContainerArgv(s)
	assert.Equal(t, nasty, got)
	got[0] = "changed"
	assert.Equal(t, "$(HOME)", s.Argv[0], "the step's own argv is not shared")
	assert.Equal(t, nasty, pluginsdk.ContainerArgv(&pluginsdk.Step{Argv: nasty}))
}

func TestRequireShim(t *testing.T) {
	s := built()
	require.NoError(t, pluginsdk.RequireShim(s, "nodes > 1"))
	s.Environment.Image.Shim = false
	err := pluginsdk.RequireShim(s, "nodes > 1")
	var e *pluginsdk.Error
	require.True(t, errors.As(err, &e))
	assert.Equal(t, pluginsdk.ClassConfig, e.Class)
	assert.Equal(t, []string{"environment", "image"}, e.Attribute)
	assert.ErrorContains(t, err, "nodes > 1 needs")
	assert.ErrorContains(t, err, "base_image")
}

func TestSplitEnv(t *testing.T) {
	const seed = 4
	random := rand.New(rand.NewPCG(seed, seed))
	for _, most := range []int{1, 7, 256, 512} {
		env := map[string]string{"EMPTY": "", "SHORT": "x", "odd.name": "y"}
		for _, v := range nasty {
			env["V"+string(rune('A'+random.IntN(26)))] = v
		}
		env["LONG"] = strings.Repeat("ß$(X)", 300)
		fit, packed, err := pluginsdk.SplitEnv(env, most, "odd.name")
		require.NoError(t, err)
		assert.True(t, packed)
		assert.NotContains(t, fit, "odd.name")
		for name, v := range fit {
			// The count of parts is as short as a number can be, and may be longer
			// than a limit of one byte.
			if name != shim.Packed {
				assert.LessOrEqual(t, len(v), most, name)
			}
		}
		again, _, err := pluginsdk.SplitEnv(env, most, "odd.name")
		require.NoError(t, err)
		assert.Equal(t, fit, again)

		back, err := shim.Unpack(func(name string) string { return fit[name] })
		require.NoError(t, err)
		for name, v := range fit {
			if !shim.IsControl(name) {
				back[name] = v
			}
		}
		assert.Equal(t, env, back, "seed %d, most %d", seed, most)
	}
	fit, packed, err := pluginsdk.SplitEnv(map[string]string{"A": "b"}, 1)
	require.NoError(t, err)
	assert.False(t, packed)
	assert.Equal(t, map[string]string{"A": "b"}, fit)
	_, _, err = pluginsdk.SplitEnv(map[string]string{"A": "b"}, 0)
	assert.Error(t, err)
}

func TestArgvEnv(t *testing.T) {
	name, value, err := pluginsdk.ArgvEnv(built())
	require.NoError(t, err)
	assert.True(t, shim.IsControl(name))
	var argv []string
	require.NoError(t, json.Unmarshal([]byte(value), &argv))
	assert.Equal(t, nasty, argv)
}

func TestParseExit(t *testing.T) {
	for _, tc := range []struct {
		text, signal string
		code         int
		ok           bool
	}{
		{shim.ExitText(3, "", ""), "", 3, true},
		{"AlgorithmError: " + shim.ExitText(137, "SIGKILL", "") + ", exit code: 137", "SIGKILL", 137, true},
		{shim.ExitText(125, "", "no rank"), "", 125, true},
		{"exit code: 3", "", 0, false},
		{"[stephost exit x] ", "", 0, false},
		{"[stephost exit 3", "", 0, false},
		{"[stephost exit 300] ", "", 0, false},
	} {
		code, signal, ok := pluginsdk.ParseExit(tc.text)
		assert.Equal(t, tc.ok, ok, tc.text)
		assert.Equal(t, tc.code, code, tc.text)
		assert.Equal(t, tc.signal, signal, tc.text)
	}
}
