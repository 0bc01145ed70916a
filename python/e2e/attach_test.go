package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/process"
)

// relayMode makes the test binary what `stephost attach-relay` is.
const relayMode = "attach-relay"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == relayMode {
		if err := process.Relay(context.Background(), os.Args[2], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// A flavor that its author has started under Python's debugger serves launch
// after launch, in place of the registered one.
func TestAttach(t *testing.T) {
	w := newWorld(t, example, "")
	v := newVenv(t)
	meet := filepath.Join(shortDir(t), "d")
	self, err := os.Executable()
	require.NoError(t, err)
	h := host.New(host.Options{Home: w.home, Attach: map[string]string{w.flavor.Name: meet}, Relay: []string{self, relayMode}})
	defer func() { assert.NoError(t, h.Close(context.Background())) }()

	var said bytes.Buffer
	plugin := exec.Command(v.Python, "-m", "pdb", "-c", "continue", example)
	plugin.Env, plugin.Stderr = append(os.Environ(), "STEPHOST_ATTACH="+meet), &said
	require.NoError(t, plugin.Start())
	ended := make(chan error, 1)
	go func() { ended <- plugin.Wait() }()
	defer func() { _ = plugin.Process.Kill() }()

	for range 2 {
		l := w.start(h, `echo "$PPID"`, "")
		require.Equal(t, "succeeded", w.wait(l).Class)
		out, _ := w.log(l.Session, "stdout")
		assert.Equal(t, fmt.Sprintf("%d\n", plugin.Process.Pid), out, "the step is a child of the process that we have started")
	}
	require.NoError(t, plugin.Process.Signal(syscall.SIGINT))
	<-ended
	assert.Contains(t, said.String(), "--attach-plugin pool="+meet)
	assert.Contains(t, said.String(), "INFO pool: launching", "its log is text for a person")
}
