//go:build linux

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/stephost/stephost/internal/shim"
)

// environment is what the step will get, in order, and what is for the shim.
type environment struct {
	names     []string
	values    map[string]string
	forItself map[string]string
}

func (e *environment) get(name string) string { return e.values[name] }

func (e *environment) control(name string) string { return e.forItself[name] }

func (e *environment) set(name, value string) {
	if shim.IsControl(name) {
		e.forItself[name] = value
		return
	}
	if _, known := e.values[name]; !known {
		e.names = append(e.names, name)
	}
	e.values[name] = value
}

// propose sets what a person or the backend has not set.
func (e *environment) propose(name, value string) {
	if _, known := e.values[name]; !known {
		e.set(name, value)
	}
}

func (e *environment) list() []string {
	list := make([]string, 0, len(e.names))
	for _, name := range e.names {
		list = append(list, name+"="+e.values[name])
	}
	return list
}

// stepEnvironment joins what came in parts.
func stepEnvironment(list []string) (*environment, error) {
	e := &environment{values: map[string]string{}, forItself: map[string]string{}}
	for _, kv := range list {
		name, value, _ := strings.Cut(kv, "=")
		e.set(name, value)
	}
	vars, err := shim.Unpack(e.control)
	if err != nil {
		return e, err
	}
	for name, value := range vars {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return e, fmt.Errorf("%q cannot be an environment variable", name)
		}
		e.set(name, value)
	}
	return e, nil
}

// complete adds what the step finds besides its own variables.
func (e *environment) complete(read func(string) ([]byte, error)) error {
	if dir := e.control(shim.OutputDir); dir != "" {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return fmt.Errorf("the output directory: %w", err)
		}
		e.set("STEPHOST_OUTPUT_DIR", dir)
	}
	for control, name := range map[string]string{shim.OutputDirFrom: "STEPHOST_OUTPUT_DIR", shim.OutputURIFrom: "STEPHOST_OUTPUT_URI"} {
		if from := e.control(control); from != "" {
			value := e.get(from)
			if value == "" {
				return fmt.Errorf("the backend did not set %s, where the step's outputs go", from)
			}
			e.set(name, value)
		}
	}
	source := e.control(shim.RankFrom)
	if source == "" {
		return nil
	}
	p, err := placeOf(source, e, read)
	if err != nil {
		return fmt.Errorf("this node's rank is not known: %w", err)
	}
	rank, nodes := strconv.Itoa(p.rank), strconv.Itoa(p.nodes)
	e.set("STEPHOST_RANK", rank)
	e.set("STEPHOST_WORLD_SIZE", nodes)
	e.set("STEPHOST_MASTER_ADDR", p.addr)
	e.set("STEPHOST_MASTER_PORT", p.port)
	if p.nodes == 1 {
		return nil // a script that looks for RANK shall not think that it is one of many
	}
	// What torch.distributed reads with one process on each node, and, as PET_*,
	// what torchrun takes for its options (torch/distributed/argparse_util.py).
	for name, value := range map[string]string{
		"RANK": rank, "WORLD_SIZE": nodes, "NODE_RANK": rank, "MASTER_ADDR": p.addr, "MASTER_PORT": p.port,
		"PET_NNODES": nodes, "PET_NODE_RANK": rank, "PET_MASTER_ADDR": p.addr, "PET_MASTER_PORT": p.port,
	} {
		e.propose(name, value)
	}
	return nil
}

// find is the file of a command: as it stands when it has a slash, else on the
// step's own PATH.
func find(name, path string) (file string, code int, err error) {
	if strings.Contains(name, "/") {
		err := usable(name)
		if os.IsPermission(err) {
			return name, shim.ExitNotExecutable, err
		}
		return name, shim.ExitNotFound, err
	}
	var denied error
	for _, dir := range filepath.SplitList(path) {
		if dir == "" {
			dir = "."
		}
		file := filepath.Join(dir, name)
		switch err := usable(file); {
		case err == nil:
			return file, 0, nil
		case os.IsPermission(err):
			denied = err
		}
	}
	if denied != nil {
		return "", shim.ExitNotExecutable, denied
	}
	return "", shim.ExitNotFound, fmt.Errorf("%s: not found on PATH (%s)", name, path)
}

func usable(file string) error {
	fi, err := os.Stat(file)
	switch {
	case err != nil:
		return err
	case fi.IsDir():
		return &fs.PathError{Op: "run", Path: file, Err: fs.ErrPermission}
	case fi.Mode()&0o111 == 0:
		return &fs.PathError{Op: "run", Path: file, Err: fs.ErrPermission}
	}
	return nil
}
