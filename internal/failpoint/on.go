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
	return &point{name: name, left: n, once: os.Getenv(OnceVar)}
})

type point struct {
	mu   sync.Mutex
	name string
	left int
	once string
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
	if p.once != "" {
		mark, err := os.OpenFile(p.once, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return // another process has died here already
		}
		_ = mark.Close()
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill()
	}
	select {} // the signal is on its way: nothing behind this line may run
}

// Environ is what a host passes to a plugin, so that failpoints in plugins can
// be armed.
func Environ() []string {
	var out []string
	for _, v := range []string{EnvVar, OnceVar} {
		if value, ok := os.LookupEnv(v); ok {
			out = append(out, v+"="+value)
		}
	}
	return out
}
