//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// background leaves a process in the command's own session and one in another.
const background = `sleep 600 & setsid sleep 600 & echo begun; `

// TestLookAfter: nothing of a command is left on the worker, whether it ends, is
// ended, or Java is.
func TestLookAfter(t *testing.T) {
	for name, c := range map[string]struct {
		command string
		killed  bool
		code    int
	}{
		"ends well":  {command: background + "exit 0"},
		"ends badly": {command: background + "exit 3", code: 3},
		"by signal":  {command: background + "kill -9 $$", code: 128 + 9},
		"Java ends":  {command: background + "wait", killed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for file, program := range map[string][]byte{"driver.py": driverProgram, "lookafter.py": lookAfterProgram} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, file), program, 0o600))
			}
			// The shell stands for Java, as in the fake: it leaves its child alone.
			cmd := exec.Command("/bin/sh", "-c", `"$@"; exit $?`, "java", "python3", filepath.Join(dir, "driver.py"),
				encoded{Argv: []string{"sh", "-c", c.command}, Dir: dir, Parent: true}.String())
			mark := "STEPHOST_TEST=" + dir
			cmd.Env = append(os.Environ(), mark)
			out, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			t.Cleanup(func() {
				for _, pid := range marked(mark) {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			})
			line := make([]byte, len("begun\n"))
			_, err = out.Read(line)
			require.NoError(t, err)
			if c.killed {
				require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
			}
			_ = cmd.Wait()
			if !c.killed {
				assert.Equal(t, c.code, cmd.ProcessState.ExitCode())
				assert.Empty(t, marked(mark), "nothing is left when the code is told")
			}
			assert.Eventually(t, func() bool { return len(marked(mark)) == 0 }, hang, 10*time.Millisecond)
		})
	}
}

// marked lists the processes whose environment holds a text.
func marked(text string) []int {
	var found []int
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		var pid int
		environ, err := os.ReadFile(path)
		if _, serr := fmt.Sscanf(strings.TrimPrefix(path, "/proc/"), "%d", &pid); err == nil && serr == nil && bytes.Contains(environ, []byte(text)) {
			found = append(found, pid)
		}
	}
	return found
}
