package runner

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// closeForeign closes pipes and sockets that the plugin itself inherited and
// passed on without knowing: above all the lifeline to the host, which must
// end with the plugin, and which the step must not get either. The Go
// runtime's own descriptors are of another kind.
func closeForeign() {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd <= 2 {
			continue
		}
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil {
			continue
		}
		if strings.HasPrefix(target, "pipe:") || strings.HasPrefix(target, "socket:") {
			unix.Close(fd)
			continue
		}
		unix.CloseOnExec(fd)
	}
}
