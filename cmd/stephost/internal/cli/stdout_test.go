package cli_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/cmd/stephost/internal/cli"
	"github.com/stephost/stephost/test/fault"
)

// refusing is an output that takes nothing.
type refusing struct{ errno syscall.Errno }

func (r refusing) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "/dev/stdout", Err: r.errno}
}

// runTo is run with a stdout of one's own.
func (w *world) runTo(out io.Writer, args ...string) result {
	w.t.Helper()
	var errs bytes.Buffer
	code := cli.Main(args, strings.NewReader(""), out, &errs)
	return result{code: code, err: w.plain(errs.String())}
}

// What cannot be written is said once and is no success, whatever the command does with
// its errors; a reader who went away has seen enough.
func TestStdoutThatTakesNothing(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	for _, args := range [][]string{
		{"--help"}, {"launch", "--help"}, {"operator", "help"}, {}, {"version"}, {"flavor", "list"}, {"-o", "json", "flavor", "list"}, {"completion", "bash"},
		{"-o", "json", "flavor", "describe", "none"}, // the error document is lost, too
		{"__complete", "flavor", ""}, {"doctor", "-C", w.dir}, {"-o", "json", "doctor", "-C", w.dir}, {"-o", "json", "run", "recover", "--all"},
	} {
		r := w.runTo(refusing{syscall.ENOSPC}, args...)
		assert.Equal(t, 125, r.code, "%v", args)
		assert.Equal(t, 1, strings.Count(r.err, "no space left on device"), "%v: %s", args, r.err)
		assert.Contains(t, r.err, "Error: stdout could not be written to its end", "%v", args)
		assert.Contains(t, r.err, "Next: see where stdout goes", "%v", args)
	}

	for _, args := range [][]string{{"--help"}, {"doctor", "-C", w.dir}, {"-o", "json", "run", "recover", "--all"}} {
		r := w.runTo(refusing{syscall.EPIPE}, args...)
		assert.NotContains(t, r.err, "stdout", "%v", args)
	}
	assert.Zero(t, w.runTo(refusing{syscall.EPIPE}, "--help").code)
	w.neverRan()
}

// A launch goes on without its stdout, and says where its log is. The step's own exit
// code stays.
func TestLaunchWithoutStdout(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(context.Background(), buildHang)
	defer cancel()
	programs, err := fault.Build(ctx)
	require.NoError(t, err)
	backend, err := programs.Start(ctx, t.TempDir())
	require.NoError(t, err)
	defer func() { assert.NoError(t, backend.Stop()) }()
	plugin, err := programs.Install(w.base, "key")
	require.NoError(t, err)
	require.Zero(t, w.run("flavor", "register", plugin).code)
	r := w.run("operator", "register", "there", "--flavor=fault-key", "--socket="+backend.Socket)
	require.Zero(t, r.code, r.err)

	for _, tc := range []struct {
		name  string
		args  []string
		errno syscall.Errno
		code  int
		said  bool
	}{
		{"full", []string{"launch", "--operator", "there", "--", "sh", "-c", "echo precious"}, syscall.ENOSPC, 125, true},
		{"full, JSON", []string{"-o", "json", "launch", "--operator", "there", "--", "sh", "-c", "echo precious"}, syscall.ENOSPC, 125, true},
		{"full, nothing to write", []string{"launch", "--operator", "there", "--", "true"}, syscall.ENOSPC, 0, false},
		{"full, failed", []string{"launch", "--operator", "there", "--", "sh", "-c", "echo precious; exit 3"}, syscall.ENOSPC, 3, true},
		{"no reader", []string{"launch", "--operator", "there", "--", "sh", "-c", "echo precious"}, syscall.EPIPE, 0, false},
		{"no reader, JSON", []string{"-o", "json", "launch", "--operator", "there", "--", "sh", "-c", "echo precious"}, syscall.EPIPE, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := w.runTo(refusing{tc.errno}, tc.args...)
			assert.Equal(t, tc.code, r.code, r.err)
			if !tc.said {
				assert.NotContains(t, r.err, "Error:")
				return
			}
			assert.Equal(t, 1, strings.Count(r.err, "Error:"), r.err)
			assert.Contains(t, r.err, "stdout could not be written to its end: write /dev/stdout: no space left on device")
			_, id, ok := strings.Cut(r.err, "`stephost run logs ")
			require.True(t, ok, r.err)
			id, _, _ = strings.Cut(id, "`")
			assert.Equal(t, "precious\n", w.run("run", "logs", id).out)
			r = w.runTo(refusing{syscall.ENOSPC}, "run", "logs", id)
			assert.Equal(t, 125, r.code)
			assert.Contains(t, r.err, "`stephost run logs "+id+"`")
		})
	}

	r = w.run("-o", "json", "launch", "--operator", "there", "--result-file", "/dev/full", "--", "true")
	require.Zero(t, r.code, r.err)
	lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
	assert.Contains(t, lines[len(lines)-2], "the result could not be written to /dev/full")
	assert.Contains(t, lines[len(lines)-1], `"type":"result"`, "the result is the last line, whatever became of its file")
}
