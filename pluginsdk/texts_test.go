package pluginsdk_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/pluginsdk"
)

func TestCheckTexts(t *testing.T) {
	for name, c := range map[string]struct {
		change func(s *pluginsdk.Step)
		at     string // "" = it is fine
	}{
		"fine":               {func(s *pluginsdk.Step) { s.Argv, s.Env["with.dot é"] = []string{"a\nb", "", "\xff"}, "=\n" }, ""},
		"NUL in an argument": {func(s *pluginsdk.Step) { s.Argv = []string{"echo", "a\x00b"} }, "command.1"},
		"NUL in a value":     {func(s *pluginsdk.Step) { s.Env["A"] = "\x00" }, "env.A"},
		"NUL in a secret":    {func(s *pluginsdk.Step) { s.Secrets["A"] = pluginsdk.NewSecret("hunter2\x00") }, "secrets.A"},
		"no name":            {func(s *pluginsdk.Step) { s.Env[""] = "x" }, "env."},
		"= in a name":        {func(s *pluginsdk.Step) { s.Secrets["A=B"] = pluginsdk.NewSecret("hunter2") }, "secrets.A=B"},
	} {
		t.Run(name, func(t *testing.T) {
			s := &pluginsdk.Step{Argv: []string{"true"}, Env: map[string]string{}, Secrets: map[string]pluginsdk.Secret{}}
			c.change(s)
			err := pluginsdk.CheckTexts(s)
			if c.at == "" {
				require.NoError(t, err)
				return
			}
			var told *pluginsdk.Error
			require.ErrorAs(t, err, &told)
			assert.Equal(t, c.at, strings.Join(told.Attribute, "."))
			assert.Equal(t, pluginsdk.ClassConfig, told.Class)
			assert.NotContains(t, err.Error(), "hunter2")
		})
	}
}
