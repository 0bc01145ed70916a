package cloudfake

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

func tie(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }

// starter is the one thread that starts processes: the kernel ends a child with
// the thread that made it, so that thread must live as long as this process.
var starter = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

// startTied starts cmd so that it ends when this process is killed.
func startTied(cmd *exec.Cmd) error {
	started := make(chan error, 1)
	starter() <- func() { started <- cmd.Start() }
	return <-started
}
