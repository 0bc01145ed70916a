package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	maxEntry  = 64 << 10
	maxCursor = 1 << 10
)

// logState is what a host has stored of a log.
type logState struct {
	sources map[string]*logSource
	gaps    []string
	entries int
}

type logSource struct {
	stream  string
	data    strings.Builder
	cursor  string
	seen    map[string]bool // cursors
	ended   bool
	doubled int // bytes that came again under a cursor that was seen
}

func newLogState() *logState { return &logState{sources: map[string]*logSource{}} }

// cursors are the last ones, for a request.
func (l *logState) cursors() map[string]string {
	out := map[string]string{}
	for name, src := range l.sources {
		if src.cursor != "" {
			out[name] = src.cursor
		}
	}
	return out
}

// stream is all that came on one stream, source after source.
func (l *logState) stream(name string) string {
	var b strings.Builder
	for _, id := range slices.Sorted(maps.Keys(l.sources)) {
		if l.sources[id].stream == name {
			b.WriteString(l.sources[id].data.String())
		}
	}
	return b.String()
}

func (l *logState) has(stream string) bool {
	for _, src := range l.sources {
		if src.stream == stream && src.data.Len() > 0 {
			return true
		}
	}
	return false
}

// source checks the name of a source and returns its state.
func (l *logState) source(x *operatorv1.LogSource) (*logSource, error) {
	want := fmt.Sprintf("%d/%d/%d/%s/%s", x.GetAttempt(), x.GetEpoch(), x.GetNode(), x.GetContainer(), x.GetStream())
	if x == nil || x.GetName() != want {
		return nil, fmt.Errorf("the name of a log source is %q, canonical is %q", printable(x.GetName(), maxWord), printable(want, maxWord))
	}
	src, ok := l.sources[want]
	if !ok {
		src = &logSource{stream: x.GetStream(), seen: map[string]bool{}}
		l.sources[want] = src
	}
	return src, nil
}

// store takes one entry, as the host does.
func (src *logSource) store(e *operatorv1.LogEntry) error {
	switch {
	case len(e.GetData()) > maxEntry:
		return fmt.Errorf("an entry has %d bytes, more than %d", len(e.GetData()), maxEntry)
	case e.GetCursor() == "" || len(e.GetCursor()) > maxCursor:
		return fmt.Errorf("a cursor has %d bytes, expected 1 to %d", len(e.GetCursor()), maxCursor)
	}
	if src.seen[e.GetCursor()] {
		src.doubled += len(e.GetData())
		return nil
	}
	src.seen[e.GetCursor()] = true
	src.cursor = e.GetCursor()
	src.data.Write(e.GetData())
	return nil
}

// errEnough ends reading before the stream does.
var errEnough = errors.New("enough")

// readLog reads a Logs stream from l's cursors into l. each, if any, is called
// behind every entry and message and may return errEnough, which breaks the
// stream: what is left of the message is lost, as with a host that dies.
func (j *job) readLog(ctx context.Context, p *process, l *logState, follow bool, each func() error) error {
	ctx, cancel := context.WithTimeout(ctx, j.bound())
	defer cancel()
	stream, err := p.client.Logs(ctx, &operatorv1.LogsRequest{
		Target: j.s.target(), Handle: j.handle, Key: j.step.Key, Follow: follow, Cursors: l.cursors()})
	if err != nil {
		return j.s.transport(ctx, "Logs", err)
	}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return j.s.transport(ctx, "Logs", err)
		}
		if m.GetReachability() != nil {
			continue
		}
		src, err := l.source(m.GetSource())
		if err != nil {
			return err
		}
		if g := m.GetGap(); g != nil {
			l.gaps = append(l.gaps, fmt.Sprintf("%s, %d bytes, %s", g.GetCertainty(), g.GetBytes(), printable(g.GetReason(), maxWord)))
		}
		for _, e := range m.GetEntries() {
			if err := src.store(e); err != nil {
				return err
			}
			l.entries++
			if each != nil {
				if err := each(); err != nil {
					return err
				}
			}
		}
		src.ended = src.ended || m.GetEnd()
	}
}

// differ says where two texts differ; nil when they do not.
func differ(what, want, got string) error {
	if want == got {
		return nil
	}
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	from := max(0, at-20)
	return fmt.Errorf("%s: expected %d bytes, got %d; they differ from byte %d on: expected ...%q, got ...%q", what, len(want), len(got), at,
		want[from:min(len(want), at+40)], got[from:min(len(got), at+40)])
}
