//go:build linux

package e2e

import (
	"archive/zip"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// zipFile makes an archive with one file in it; a jar is one.
func zipFile(t *testing.T, path string) {
	f, err := os.Create(path)
	require.NoError(t, err)
	z := zip.NewWriter(f)
	w, err := z.Create("readme.txt")
	require.NoError(t, err)
	_, err = w.Write([]byte("data\n"))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
}
