package source_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/host/environment/source"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// write makes files below dir; a name that ends with "/" is a directory.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			require.NoError(t, os.MkdirAll(path, 0o755))
			continue
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

// files are the paths of a tree that are not directories.
func files(tree *source.Tree) []string {
	var list []string
	for _, e := range tree.Entries {
		if e.Kind != source.Dir {
			list = append(list, e.Path)
		}
	}
	return list
}
