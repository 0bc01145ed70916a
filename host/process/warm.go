package process

import "os"

// Warm lets Go ask the kernel now what it otherwise asks before the first start
// of a process: whether it has pidfds, which takes a fork (0.3 to 0.5 ms
// measured). It changes nothing and may be left out.
func Warm() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Release()
	}
}
