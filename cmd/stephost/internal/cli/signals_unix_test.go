//go:build unix && !front

package cli

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A signal that comes while the run is created reaches whoever takes over.
// Not SIGHUP: under nohup it stays ignored.
func TestInterruptsHandOver(t *testing.T) {
	early := make(chan os.Signal, 4)
	i := catch(func(s os.Signal) { early <- s })
	defer i.stop()
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
	select {
	case s := <-early:
		assert.Equal(t, syscall.SIGTERM, s)
	case <-time.After(time.Minute):
		t.Fatal("the signal did not come")
	}
	assert.Equal(t, syscall.SIGTERM, i.first())
	late := make(chan os.Signal, 4)
	i.handOver(func(s os.Signal) { late <- s })
	assert.Equal(t, syscall.SIGTERM, <-late)
	assert.Nil(t, i.first())
}
