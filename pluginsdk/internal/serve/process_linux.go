package serve

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// closeOthersOnExec marks what else came with the process, for example the
// descriptor that it was executed from. Kernels before 5.11 do not have it; then
// a child sees a read-only descriptor of the plugin's own file.
func closeOthersOnExec() {
	_ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
}

// setProcessName names the process in top and ps: one that was executed through
// a descriptor is called by the descriptor's number.
func setProcessName(name string) {
	// The kernel cuts at 15 bytes.
	_ = os.WriteFile("/proc/self/comm", []byte(name), 0)
}
