// Package installed finds what came with the stephost binary.
package installed

import (
	"os"
	"path/filepath"
)

// Path is the file or directory that came with this binary under a name: beside it,
// else in "../libexec/stephost", where a package manager puts it (a virtual
// environment's bin/ is no place for other programs). A link to the binary leads
// to the same place. "" when this binary cannot tell where it lies; what it names
// need not exist.
func Path(name string) string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real // os.Executable gives the link on some systems
	}
	beside := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(beside); err == nil {
		return beside
	}
	return filepath.Join(filepath.Dir(filepath.Dir(self)), "libexec", "stephost", name)
}
