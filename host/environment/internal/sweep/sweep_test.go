package sweep_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment/internal/sweep"
)

func put(t *testing.T, path string, age time.Duration) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte("12345"), 0o400))
	at := time.Now().Add(-age)
	require.NoError(t, os.Chtimes(path, at, at))
}

func TestFiles(t *testing.T) {
	for _, dry := range []bool{true, false} {
		dir := t.TempDir()
		put(t, filepath.Join(dir, "a", "old"), 2*time.Hour)
		put(t, filepath.Join(dir, "a", "new"), 0)
		o := sweep.Options{Before: time.Now().Add(-time.Hour), DryRun: dry}
		assert.EqualValues(t, 5, o.Files(dir))
		assert.FileExists(t, filepath.Join(dir, "a", "new"))
		_, err := os.Stat(filepath.Join(dir, "a", "old"))
		assert.Equal(t, dry, err == nil)
		assert.Zero(t, o.Files(filepath.Join(dir, "none")))
	}
}

func TestDir(t *testing.T) {
	for name, tc := range map[string]struct {
		stamp string // "" = there is none
		age   time.Duration
		name  string
		bytes int64
	}{
		"used":            {"stamp", 0, "d", 0},
		"unused":          {"stamp", 2 * time.Hour, "d", 10},
		"new, no stamp":   {"", 0, "d", 0},
		"left by a sweep": {"", 0, "d.going", 5},
	} {
		for _, dry := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), tc.name)
				put(t, filepath.Join(dir, "file"), 3*time.Hour)
				if tc.stamp == "stamp" {
					put(t, filepath.Join(dir, tc.stamp), tc.age)
				}
				o := sweep.Options{Before: time.Now().Add(-time.Hour), DryRun: dry}
				assert.Equal(t, tc.bytes, o.Dir(dir, "stamp"))
				_, err := os.Stat(dir)
				assert.Equal(t, dry || tc.bytes == 0, err == nil)
			})
		}
	}
}
