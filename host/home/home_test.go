package home_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/problem"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		name string
		env  map[string]string
		want string
	}{
		{"own variable wins", map[string]string{home.EnvVar: dir, "XDG_DATA_HOME": "/x", "HOME": "/h"}, dir},
		{"XDG", map[string]string{"XDG_DATA_HOME": dir, "HOME": "/h"}, filepath.Join(dir, "stephost")},
		{"relative XDG is ignored, as its specification says", map[string]string{"XDG_DATA_HOME": "x", "HOME": dir},
			filepath.Join(dir, ".local", "share", "stephost")},
		{"home directory", map[string]string{"HOME": dir}, filepath.Join(dir, ".local", "share", "stephost")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, v := range []string{home.EnvVar, "XDG_DATA_HOME", "HOME"} {
				t.Setenv(v, tc.env[v])
			}
			h, err := home.Find()
			require.NoError(t, err)
			assert.Equal(t, tc.want, h.Root())
		})
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, entries, "finding creates nothing")
}

// A plugin is told paths below the home, in messages and on lines of text.
func TestFindRefuses(t *testing.T) {
	for _, dir := range []string{"/tmp/a\nb", "/tmp/\xff", "/tmp/a\x1bb"} {
		t.Setenv(home.EnvVar, dir)
		_, err := home.Find()
		var p *problem.Error
		require.ErrorAs(t, err, &p, "%q", dir)
		assert.NotEmpty(t, p.Next)
		assert.NotContains(t, p.Error(), dir)
	}
}

func TestMakeSaysWhatToDo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	h := home.At(filepath.Join(file, "home"))
	err := h.Make(h.Runs())
	var p *problem.Error
	require.ErrorAs(t, err, &p)
	assert.Contains(t, p.Next, home.EnvVar)
}

func TestSocketsStayShort(t *testing.T) {
	assert.NotEmpty(t, home.At("/tmp/s").Sockets())
	assert.Empty(t, home.At("/tmp/"+strings.Repeat("x", 100)).Sockets())
}
