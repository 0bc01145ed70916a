package crowd

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// resident is the resident memory of this process and of its children, in
// bytes.
func resident() (self, children int64, err error) {
	if self, err = rss("/proc/self"); err != nil {
		return 0, 0, err
	}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, 0, err
	}
	me := strconv.Itoa(os.Getpid())
	for _, dir := range dirs {
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil {
			continue // gone
		}
		_, after, _ := strings.Cut(string(stat), ") ") // state, parent, ...
		if f := strings.Fields(after); len(f) < 2 || f[0] == "Z" || f[1] != me {
			continue
		}
		if n, err := rss(dir); err == nil {
			children += n
		}
	}
	return self, children, nil
}

func rss(dir string) (int64, error) {
	status, err := os.ReadFile(filepath.Join(dir, "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "VmRSS: %d kB", &kb); n == 1 {
			return kb << 10, nil
		}
	}
	return 0, fmt.Errorf("%s/status has no VmRSS", dir)
}
