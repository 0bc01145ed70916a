package cli

import (
	"errors"
	"io"
	"runtime"
	"sync"
	"syscall"

	"github.com/stephost/stephost/host/problem"
)

// stdout is where answers go. It remembers the first error: whoever prints a help
// page, or the log of a run that goes on, has nobody to return it to.
type stdout struct {
	w io.Writer

	mu     sync.Mutex
	failed error
}

func (s *stdout) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if err != nil {
		s.mu.Lock()
		if s.failed == nil {
			s.failed = err
		}
		s.mu.Unlock()
	}
	return n, err
}

// lost is why not everything could be written; nil when it was, and when the reader
// went away: it has seen what it wanted (`| head`). next says where the rest is.
func (s *stdout) lost(next string) *problem.Error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil || readerGone(s.failed) {
		return nil
	}
	if next == "" {
		next = "see where stdout goes: a full disk, or a terminal that is gone; what the command did stays done"
	}
	return &problem.Error{Summary: "stdout could not be written to its end", Err: s.failed, Next: next}
}

// Errors of a pipe on Windows that nobody reads any more.
const (
	errorBrokenPipe = syscall.Errno(109)
	errorNoData     = syscall.Errno(232)
)

// readerGone tells whether a write failed because nobody reads any more.
func readerGone(err error) bool {
	if runtime.GOOS == "windows" && (errors.Is(err, errorBrokenPipe) || errors.Is(err, errorNoData)) {
		return true
	}
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}
