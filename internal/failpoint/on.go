//go:build failpoint

package failpoint

import (
	"os"
	"strconv"
	"strings"
	"sync"
)

// Enabled tells whether this binary was built with failpoints.
const Enabled = true

var armed = sync.OnceValue(func() *point {
	name, count, _ := strings.Cut(os.Getenv(EnvVar), ":")
	n, err := strconv.Atoi(count)
	if err != nil {
		n = 1
	}
	return &point{name: name, left: n}
})

type point struct {
	mu   sync.Mutex
	name string
	left int
}

// Hit kills this process when name is the armed failpoint and its count is
// reached.
func Hit(name string) {
	p := armed()
	if p.name != name {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left--; p.left > 0 {
		return
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {} // the signal is on its way: nothing behind this line may run
}
