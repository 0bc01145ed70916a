//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// standIn is the place of a Spark whose spark-submit does for a Python application
// what the real one does, but for Java: it starts the driver and ends with its code.
// It is for tests of hundreds of deaths, and of logs, into which Java writes a line
// of its own.
func standIn(t *testing.T) string {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "bin"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", "spark-submit"), []byte(`#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in */driver.py) "$PYSPARK_DRIVER_PYTHON" "$@"; exit $?;; esac
  shift
done
exit 1
`), 0o755))
	return dir
}
