package image

import (
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/stephost/stephost/host/environment/source"
)

// TestChild is a process that another test starts; by itself it has nothing to do.
func TestChild(t *testing.T) {
	mode := os.Getenv(childEnv)
	if mode == "" {
		return
	}
	if mode == "full" {
		// No file may grow beyond this: what a full disk says by another name.
		signal.Ignore(syscall.SIGXFSZ)
		const most = 128 << 10
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: most, Max: most}))
	}
	_, err := Build(t.Context(), Request{BaseImage: os.Getenv("T_BASE"), Push: os.Getenv("T_PUSH"), Sources: []source.Root{{Path: os.Getenv("T_APP")}},
		CacheDir: os.Getenv("T_CACHE"), ShimDir: os.Getenv("T_SHIM"), Environ: []string{}})
	require.NoError(t, err)
}
