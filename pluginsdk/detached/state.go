package detached

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// State is the state directory of a flavor: dir, the config attribute state_dir,
// or the usual place for it. It does not depend on STEPHOST_HOME: whoever comes
// from an empty home finds the same jobs.
func State(flavor, dir string, getenv func(string) string) (jobdir.State, error) {
	if dir != "" {
		if !filepath.IsAbs(dir) {
			return jobdir.State{}, pluginsdk.Config("config.state_dir", "%s is no absolute path", dir)
		}
		return jobdir.At(filepath.Clean(dir)), nil
	}
	base := getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) { // the XDG specification: a relative path is ignored
		home := getenv("HOME")
		if home == "" {
			home, _ = os.UserHomeDir()
		}
		if home == "" {
			return jobdir.State{}, pluginsdk.Config("config.state_dir", "there is no home directory to keep jobs in: set state_dir")
		}
		base = filepath.Join(home, ".local", "state")
	}
	return jobdir.At(filepath.Join(base, "stephost-"+flavor)), nil
}

// Machine names this machine, and what a person calls it. It survives a restart,
// so that a run of before it is found, and found to be lost.
func Machine(state jobdir.State) (id, display string, err error) {
	if id, err = machineID(state); err != nil {
		return "", "", err
	}
	if display, err = os.Hostname(); err != nil {
		display = "this machine"
	}
	return id, display, nil
}

// CheckState looks whether the state directory can be used. It makes nothing: the
// first launch does, and what is there of its path must be a directory that can be
// written.
func CheckState(state jobdir.State) error {
	dir := state.Root()
	for !exists(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return pluginsdk.Config("config.state_dir", "the state directory %s cannot be reached: %w", state.Root(), err)
	}
	if !info.IsDir() {
		return pluginsdk.Config("config.state_dir", "the state directory %s cannot be made: %s is a file", state.Root(), dir)
	}
	if !writable(dir) {
		return pluginsdk.Config("config.state_dir", "the state directory %s cannot be written by this user; set state_dir to one that can", state.Root())
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// machineID names the machine. Containers often have no id of their own; then
// the state directory gets one, which is as good: it is what the jobs lie in.
func machineID(state jobdir.State) (string, error) {
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if data, err := os.ReadFile(path); err == nil {
			if id := strings.TrimSpace(string(data)); len(id) == 32 {
				return id, nil
			}
		}
	}
	path := filepath.Join(state.Root(), "machine")
	for {
		data, err := os.ReadFile(path)
		if err == nil && len(data) > 0 {
			return strings.TrimSpace(string(data)), nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if err := newMachineID(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", noScope(state, err)
		}
	}
}

// newMachineID makes the id; of several processes one succeeds.
func newMachineID(path string) error {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".machine-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString("dir-" + hex.EncodeToString(id[:]) + "\n")
	if cerr := temp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Link(temp.Name(), path)
}

func noScope(state jobdir.State, err error) error {
	return pluginsdk.Config("config.state_dir", "the state directory %s cannot be used; set state_dir to one that can be written: %w", state.Root(), err)
}
