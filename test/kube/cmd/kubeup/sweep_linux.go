package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// pattern of the directories that package kube makes.
const pattern = "stephost-kube-*"

// hold marks dir as the place of something alive, and sweeps dead neighbours.
func hold(dir string) (*flock.Flock, error) {
	held := flock.New(filepath.Join(dir, "lock"))
	ok, err := held.TryLock()
	if err == nil && !ok {
		err = errors.New("somebody has it")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	sweep(dir)
	return held, nil
}

// sweep removes what killed predecessors left beside dir. The lock of a living
// one is held.
func sweep(dir string) {
	others, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), pattern))
	for _, other := range others {
		// Without a lock file it may be about to start.
		if _, err := os.Stat(filepath.Join(other, "lock")); other == dir || err != nil {
			continue
		}
		held := flock.New(filepath.Join(other, "lock"))
		if ok, err := held.TryLock(); err == nil && ok {
			removeGroup(filepath.Base(other))
			_ = os.RemoveAll(other)
			_ = held.Close()
		}
	}
}
