package detached

import (
	"os"

	"github.com/stephost/stephost/internal/gcstart"
	"github.com/stephost/stephost/pluginsdk/detached/runner"
)

// RunnerMain is the life of a runner, if the arguments ask for one. It belongs
// before everything else of a flavor's main: a runner is no plugin.
func RunnerMain(args []string) (code int, is bool) {
	if len(args) != 3 || args[1] != runner.Argument {
		return 0, false
	}
	gcstart.Settle()
	return runner.Main(args[2]), true
}

// Warm does while the host is still connecting what Go does before the first start
// of a process: it asks the kernel once, with a fork, what it needs for that.
func Warm() { go func() { _, _ = os.FindProcess(os.Getpid()) }() }
