package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Exit codes of a command that could not be started, as shells use them.
const (
	codeNotFound      = 127
	codeNotExecutable = 126
)

// startError says why there is no process: a verdict about the step.
type startError struct {
	code   int
	reason string
	err    error
}

func (e *startError) Error() string { return e.err.Error() }
func (e *startError) Unwrap() error { return e.err }

func cannotStart(code int, reason, format string, args ...any) error {
	return &startError{code: code, reason: reason, err: fmt.Errorf(format, args...)}
}

// lookPath finds the program of a step in the step's own environment and
// working directory, which are not those of this process.
func lookPath(name, dir string, env []string) (string, error) {
	if name == "" {
		return "", cannotStart(codeNotFound, "CommandNotFound", "the command is empty")
	}
	if strings.ContainsRune(name, filepath.Separator) {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		return path, executable(path, name)
	}
	search := ""
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			search = v
		}
	}
	var refused error
	for _, entry := range filepath.SplitList(search) {
		if entry == "" {
			continue // would mean the working directory: too easy an accident
		}
		if !filepath.IsAbs(entry) {
			entry = filepath.Join(dir, entry)
		}
		path := filepath.Join(entry, name)
		err := executable(path, name)
		if err == nil {
			return path, nil
		}
		var s *startError
		if errors.As(err, &s) && s.code == codeNotExecutable {
			refused = err
		}
	}
	if refused != nil {
		return "", refused
	}
	return "", cannotStart(codeNotFound, "CommandNotFound", "command not found: %s (PATH is %s)", name, search)
}

func executable(path, name string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return cannotStart(codeNotFound, "CommandNotFound", "command not found: %s (looked for %s)", name, path)
	case err != nil:
		return cannotStart(codeNotFound, "CommandNotFound", "command not found: %s: %w", name, err)
	case info.IsDir():
		return cannotStart(codeNotExecutable, "CommandNotExecutable", "%s is a directory", path)
	case info.Mode()&0o111 == 0:
		return cannotStart(codeNotExecutable, "CommandNotExecutable", "%s is not executable: run it by its interpreter, or chmod +x", path)
	}
	return nil
}
