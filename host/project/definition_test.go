package project_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/project"
)

func TestDefinition(t *testing.T) {
	define := func(t *testing.T, text string) []byte {
		w := load(t, text)
		require.Empty(t, w.text(w.diags))
		got, diags := w.resolve(w.request(flavor(t, cloud), "train", "gpu"))
		require.Empty(t, diags)
		return got.Definition()
	}
	base := define(t, sample)
	assert.Equal(t, string(base), string(define(t, sample)), "another directory is the same step")
	assert.Equal(t, string(base), string(define(t, strings.Replace(sample, `env("HF_TOKEN")`, `secret("file:token")`, 1))),
		"where a secret comes from is not what runs")
	assert.NotContains(t, string(base), string(filepath.Separator)+"tmp")

	changed := strings.NewReplacer(`volume_size = 50`, `volume_size = 51`, `"3"]`, `"4", "--more"]`, `LOG_LEVEL`, `LOG`,
		`"2h"`, `"3h"`, `HF_TOKEN =`, `HF2 =`, `gpu      = 1`, `gpu      = 2`, `requirements.txt`, `r.txt`).Replace(sample)
	diffs, err := project.DiffDefinitions(base, define(t, changed))
	require.NoError(t, err)
	var lines []string
	for _, d := range diffs {
		lines = append(lines, d.String())
	}
	assert.Equal(t, []string{
		`argv[3]: "3" -> "4"`,
		`argv[4]: (none) -> "--more"`,
		`env.LOG: (none) -> "info"`,
		`env.LOG_LEVEL: "info" -> (none)`,
		`environment.requirements_file: "requirements.txt" -> "r.txt"`,
		`resources.gpu: 1 -> 2`,
		`secrets[0]: "HF_TOKEN" -> "HF2"`,
		`settings.volume_size: 50 -> 51`,
		`timeouts.run: "2h0m0s" -> "3h0m0s"`,
	}, lines)
	same, err := project.DiffDefinitions(base, base)
	require.NoError(t, err)
	assert.Empty(t, same)
	_, err = project.DiffDefinitions(base, []byte("{"))
	assert.Error(t, err)
}
