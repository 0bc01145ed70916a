package podlog

import (
	"bytes"
	"strings"
	"time"
)

// Limits of splitting.
const (
	// maxPiece is how much of a line without an end is held before it is passed
	// on as a part.
	maxPiece = 256 << 10
	// maxStamp is longer than any timestamp: RFC 3339 with nanoseconds and an
	// offset has 35 bytes.
	maxStamp = 40
)

// piece is a line or a part of one.
type piece struct {
	time time.Time
	// orphan: the line began before what the request asked for, so it has no
	// time of its own.
	orphan      bool
	first, last bool
	data        []byte
}

// splitter cuts a stream into pieces.
type splitter struct {
	buf    []byte
	inside bool // buf goes on with a line whose time is known
	time   time.Time
	orphan bool
	begun  bool // a line was seen
}

// ForeignError is a text that stands in a log stream and belongs to the kubelet.
type ForeignError struct{ text string }

func (e *ForeignError) Error() string { return "the kubelet cannot read the log: " + e.text }

// foreign are the beginnings of what a kubelet writes into the answer when it
// cannot read a log any more (kubelet kuberuntime_container.go, GetContainerLogs
// and cri-client logs.go, ReadLogs).
func foreign() []string {
	return []string{"unable to retrieve container logs for ", "failed to try resolving symlinks in path ", "failed to open log file ",
		"failed to read log file ", "failed to create fsnotify watcher: ", "failed to watch directory "}
}

// write takes bytes of the stream and passes pieces on. Their data is good
// until yield returns.
func (s *splitter) write(data []byte, yield func(piece) error) error {
	s.buf = append(s.buf, data...)
	rest := s.buf
	for len(rest) > 0 {
		n, err := s.next(rest, false, yield)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		rest = rest[n:]
	}
	s.buf = append(s.buf[:0], rest...)
	return nil
}

// end passes on what is left behind the last newline. Where the stream broke, a
// rest at the beginning of a line may be half a timestamp: without a whole one
// it is dropped, and comes again. A follow that a kubelet gives up ends with its
// reason, in the middle of a line when the runtime has stored a part of one.
func (s *splitter) end(broken, follow bool, yield func(piece) error) error {
	rest := s.buf
	s.buf = nil
	var own error
	if follow && !broken {
		for _, text := range foreign() {
			if i := bytes.LastIndex(rest, []byte(text)); i >= 0 {
				own, rest = &ForeignError{text: string(rest[i:])}, rest[:i]
				break
			}
		}
	}
	for len(rest) > 0 {
		if _, _, ok := cutStamp(rest); broken && !s.inside && !ok {
			break
		}
		n, err := s.next(rest, true, yield)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		rest = rest[n:]
	}
	return own
}

// next passes on one piece of data and returns how much it took; 0 = more is
// needed.
func (s *splitter) next(data []byte, over bool, yield func(piece) error) (int, error) {
	taken := 0
	first := !s.inside
	if first {
		stamp, n, ok := cutStamp(data)
		switch {
		case ok:
			s.time, s.orphan, taken = stamp, false, n
		case len(data) < maxStamp && bytes.IndexByte(data, '\n') < 0 && !over:
			return 0, nil
		default:
			line, _, _ := bytes.Cut(data[:min(len(data), 1<<10)], []byte("\n"))
			for _, text := range foreign() {
				if strings.HasPrefix(string(line), text) {
					return 0, &ForeignError{text: string(line)}
				}
			}
			if s.begun {
				// Every line has a time. What has none goes on with the one before it:
				// standard error behind a part of a line of standard output.
				first = false
			} else {
				s.orphan = true
			}
		}
		s.begun = true
	}
	body := data[taken:]
	end := bytes.IndexByte(body, '\n')
	p := piece{time: s.time, orphan: s.orphan, first: first}
	switch {
	case end >= 0:
		p.data, p.last, s.inside = body[:end+1], true, false
	case len(body) >= maxPiece || over:
		p.data, s.inside = body, true
	default:
		return 0, nil
	}
	return taken + len(p.data), yield(p)
}

// cutStamp reads the time at the beginning of a line.
func cutStamp(data []byte) (t time.Time, n int, ok bool) {
	i := bytes.IndexByte(data[:min(len(data), maxStamp)], ' ')
	if i < len("2006-01-02T15:04:05Z") {
		return t, 0, false
	}
	t, err := time.Parse(time.RFC3339Nano, string(data[:i]))
	return t, i + 1, err == nil
}
