package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFlavorInit(t *testing.T) {
	w := newWorld(t)
	golden(t, "flavor_init", w.transcript(
		[]string{"flavor", "init", "hive", "-C", w.dir},
		[]string{"flavor", "init", "hive", "-C", w.dir},
		[]string{"flavor", "init", "hive", "--language", "python", "--kind", "launch", "--dir", "there/hive", "-C", w.dir},
		[]string{"flavor", "init", "Hive", "-C", w.dir},
		[]string{"flavor", "init", "-C", w.dir},
		[]string{"flavor", "init", "hive", "--language", "rust", "-C", w.dir},
		[]string{"flavor", "init", "hive", "--kind", "other", "-C", w.dir},
	))
	assert.FileExists(t, filepath.Join(w.dir, "stephost-flavor-hive", "main.go"))
	assert.FileExists(t, filepath.Join(w.dir, "there", "hive", "flavor.py"))
	entries, err := os.ReadDir(w.dir)
	require.NoError(t, err)
	assert.Len(t, entries, 3, "the two projects, and .git of the world")
}

func TestFlavorInitJSON(t *testing.T) {
	w := newWorld(t)
	r := w.run("flavor", "init", "hive", "-o", "json", "-C", w.dir)
	require.Zero(t, r.code, r.err)
	var doc struct {
		Item struct {
			Name, Language, Kind, Directory string
			Next                            []string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &doc))
	assert.Equal(t, "hive", doc.Item.Name)
	assert.Equal(t, "go", doc.Item.Language)
	assert.Equal(t, "remote", doc.Item.Kind)
	assert.Equal(t, "stephost-flavor-hive", doc.Item.Directory)
	assert.NotEmpty(t, doc.Item.Next)
	assert.Empty(t, r.err)
}
