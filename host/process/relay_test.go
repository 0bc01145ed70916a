//go:build linux

package process

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/proto/stephost/lifeline"
)

// relayMode makes the test binary a relay, as `stephost attach-relay` is.
const relayMode = "be-relay"

func beRelay(dir string) int {
	if err := Relay(context.Background(), dir, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// attachedSpec is the plugin that listens in dir.
func attachedSpec(t *testing.T, dir string) Spec {
	self, err := os.Executable()
	require.NoError(t, err)
	s := spec()
	s.Attached = true
	s.Executable = func(context.Context) (*Executable, error) {
		return &Executable{Argv: []string{self, relayMode, dir}}, nil
	}
	return s
}

// byHand starts the plugin as its author does.
func byHand(t *testing.T, dir string) (cmd *exec.Cmd, said *bytes.Buffer) {
	said = &bytes.Buffer{}
	cmd = exec.Command(pluginFile)
	cmd.Env = append(os.Environ(), lifeline.EnvAttach+"="+dir)
	cmd.Stderr = said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	return cmd, said
}

// meetingDir is a directory with a short name that does not exist yet.
func meetingDir(t *testing.T) string {
	base, err := os.MkdirTemp("", "at")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(base)) })
	return filepath.Join(base, "d")
}

// The plugin runs on while hosts come and go, and the host notices when the
// plugin goes.
func TestAttach(t *testing.T) {
	dir := meetingDir(t)
	plugin, said := byHand(t, dir)
	for range 2 {
		r := newRig(t)
		p := acquire(t, r, attachedSpec(t, dir))
		env := plan(t, p, "env")
		assert.NotContains(t, env, lifeline.EnvAttach, "children of the author's code do not take themselves for a plugin")
		assert.NotContains(t, env, lifeline.CookieKey)
		p.Release()
		require.NoError(t, r.Close(within(t)))
	}

	r := newRig(t)
	p := acquire(t, r, attachedSpec(t, dir))
	require.NoError(t, plugin.Process.Kill())
	_ = plugin.Wait()
	crash := &CrashError{}
	require.ErrorAs(t, ended(t, p), &crash)
	assert.Contains(t, crash.Error(), "has ended or closed the connection")
	assert.Contains(t, said.String(), "stephost launch --attach-plugin test="+dir)

	// Again, under the debugger, with the socket of the dead one still there.
	plugin, _ = byHand(t, dir)
	p = acquire(t, r, attachedSpec(t, dir))
	plan(t, p, "env")
	require.NoError(t, r.Close(within(t)))
	require.NoError(t, plugin.Process.Signal(syscall.SIGINT), "Ctrl-C at its author's terminal")
	require.NoError(t, plugin.Wait())
}

// Who comes first does not matter.
func TestAttachWaits(t *testing.T) {
	dir := meetingDir(t)
	r := newRig(t)
	got := make(chan error, 1)
	go func() {
		p, err := r.Acquire(within(t), attachedSpec(t, dir))
		if err == nil {
			p.Release()
		}
		got <- err
	}()
	eventually(t, "the relay leaves its hello", func() bool { return exists(filepath.Join(dir, lifeline.HelloFile)) })
	byHand(t, dir)
	require.NoError(t, <-got)
}

func TestAttachDirectoryIsPrivate(t *testing.T) {
	dir := meetingDir(t)
	require.NoError(t, os.Mkdir(dir, 0o755))
	_, err := newRig(t).Acquire(within(t), attachedSpec(t, dir))
	require.ErrorContains(t, err, "must belong to you alone")

	require.NoError(t, os.Chmod(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, lifeline.HelloFile), []byte(`{"lifeline":1,"tls":{"key":"secret-key"}}`), 0o600))
	_, err = newRig(t).Acquire(within(t), attachedSpec(t, dir))
	require.ErrorContains(t, err, "remove it")
	assert.NotContains(t, err.Error(), "secret-key")
}

// A meeting is made once, whoever is first, and its keys never print.
func TestMeeting(t *testing.T) {
	dir := meetingDir(t)
	first, err := meet(dir)
	require.NoError(t, err)
	again, err := meet(dir)
	require.NoError(t, err)
	assert.True(t, first.host.key.Equal(again.host.key))
	assert.Equal(t, first.plugin.der, again.plugin.der)
	info, err := os.Stat(filepath.Join(dir, lifeline.HelloFile))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		text := fmt.Sprintf(verb, meeting{Host: hostKey{Key: "secret-key"}})
		assert.False(t, strings.Contains(text, "secret-key"), verb)
	}
}
