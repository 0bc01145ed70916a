package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestFrontIsTheSameProcess: whoever started stephost, and signals it, sees one process
// from its start to its end. What lies behind a link is found.
func TestFrontIsTheSameProcess(t *testing.T) {
	l := newLab(t)
	link := filepath.Join(t.TempDir(), "stephost")
	require.NoError(t, os.Symlink(l.bin, link))
	l.bin = link
	goOn := filepath.Join(l.dir, "go")
	p := l.start("launch", "--operator", "here", "--", "sh", "-c", `until [ -e "$0" ]; do sleep 0.05; done`, goOn)
	require.Eventually(t, func() bool {
		path, err := os.Readlink(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "exe"))
		return err == nil && filepath.Base(path) == "stephost-host"
	}, hang, time.Millisecond)
	require.NoError(t, os.WriteFile(goOn, nil, 0o644))
	require.NoError(t, p.cmd.Wait(), p.err.String())
}
