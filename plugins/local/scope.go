package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/stephost/stephost/plugins/local/internal/jobdir"
	"github.com/stephost/stephost/pluginsdk"
)

// Scope is this machine and the state directory. It survives a restart of the
// machine, so that a run of before it is found, and found to be lost.
func (l *local) Scope(_ context.Context, c Config) (pluginsdk.Scope, error) {
	state, err := l.state(c)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	machine, err := machineID(state)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	return pluginsdk.Scope{
		ID:      "local:" + machine + ":" + state.Root(),
		Display: fmt.Sprintf("machine %s, %s", host, state.Root()),
	}, nil
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
