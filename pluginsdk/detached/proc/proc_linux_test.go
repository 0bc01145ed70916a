package proc

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	const rest = " S 17 18 19 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 424242 1 2 3"
	for _, name := range []string{"(sh)", "(a b)", "(a) S 1 1 1)", "(" + "\n)"} {
		s, ok := parseStat(5, []byte("5 "+name+rest))
		require.True(t, ok, name)
		assert.Equal(t, stat{pid: 5, parent: 17, session: 19, state: 'S', ticks: 424242}, s)
	}
	for _, bad := range []string{"", "5 (sh", "5 (sh) S 1 2", "5 (sh) S x 18 19 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 424242"} {
		_, ok := parseStat(5, []byte(bad))
		assert.False(t, ok, bad)
	}
}

func TestIdentity(t *testing.T) {
	assert.Len(t, Boot(), 36)
	assert.Contains(t, Namespace(), "pid:[")
	assert.NotZero(t, Ticks(os.Getpid()))
	assert.Zero(t, Ticks(1<<30))
}

// start starts a session, all of which is ended with the test.
func start(t *testing.T, env []string, argv ...string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		_ = cmd.Wait()
	})
	return cmd
}

func TestMembers(t *testing.T) {
	const key = "membersmembersmembersmembe"
	stranger := start(t, []string{Mark + "=" + key + "x"}, "sleep", "3600")
	marked := start(t, []string{Mark + "=" + key}, "sleep", "3600")
	// The session outlives the mark: its second process drops the environment.
	leader := start(t, nil, "sh", "-c", "sleep 3600 & wait")
	target := Target{PID: leader.Process.Pid, Ticks: Ticks(leader.Process.Pid)}
	var members []int
	for end := time.Now().Add(time.Minute); len(members) < 2 && time.Now().Before(end); {
		members = Members(target)
	}
	require.Len(t, members, 2)
	assert.Contains(t, members, leader.Process.Pid)
	assert.Equal(t, []int{marked.Process.Pid}, Members(Target{Key: key}))

	assert.Empty(t, Members(Target{PID: leader.Process.Pid, Ticks: target.Ticks + 1}), "a later process with the same number is another one")
	assert.Contains(t, Members(Target{Root: os.Getpid()}), stranger.Process.Pid, "descendants of a root")

	assert.Equal(t, 1, Signal(Target{Key: key}, unix.SIGKILL))
	require.Error(t, marked.Wait())
	assert.Zero(t, Ticks(marked.Process.Pid))
	assert.NotZero(t, Ticks(stranger.Process.Pid), "and nobody else")
	assert.Zero(t, Signal(Target{Key: key}, unix.SIGKILL))
}
