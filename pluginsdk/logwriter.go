package pluginsdk

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Limits of the Logs stream.
const (
	// maxEntry is the contract's limit for the bytes of one entry.
	maxEntry = 64 << 10
	// targetMessage closes a message for more entries: well below the 1 MiB that
	// a message should have, and large enough that gRPC's cost per message does
	// not count.
	targetMessage = 512 << 10
	// maxQueued is how much may wait for a slow host before the author's code is
	// held up. Two messages: one on the wire, one being filled.
	maxQueued = 1 << 20
	// entryOverhead is counted per entry, so that empty ones are bounded too.
	entryOverhead = 64
)

// LogWriter takes what a LogReader reads and makes messages of it. All methods
// may be called from several goroutines; order is kept within a source. They
// block while the host is slow and return an error when the stream is over:
// then return from Logs with that error.
type LogWriter struct {
	mu      sync.Mutex
	changed *sync.Cond
	queue   []*operatorv1.LogsResponse
	queued  int    // bytes in queue
	taken   uint64 // rises each time the queue is taken
	closed  bool
	err     error
	sources map[string]*logState
	wrote   bool                    // something was written since the last attempt began
	gone    *operatorv1.CouldNotAsk // why nothing can be read, as the host was told
}

// logState is what the writer knows of one source.
type logState struct {
	proto *operatorv1.LogSource
	// cursor is the author's last cursor. sent bytes behind it were delivered
	// during this attempt, and skip bytes behind it before: those are dropped
	// when they come again.
	cursor     string
	skip, sent int64
	ended      bool
	// open is the message of this source that is still being filled. It counts
	// only while openTaken equals LogWriter.taken.
	open      *operatorv1.LogsResponse
	openSize  int
	openTaken uint64
}

func newLogWriter(cursors map[string]string) *LogWriter {
	w := &LogWriter{sources: map[string]*logState{}}
	w.changed = sync.NewCond(&w.mu)
	for name, wire := range cursors {
		skip, cursor := parseCursor(wire)
		w.sources[name] = &logState{proto: sourceFromName(name), cursor: cursor, skip: skip}
	}
	return w
}

// Entry writes one entry of source.
func (w *LogWriter) Entry(source LogSource, e LogEntry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.source(source)
	data := e.Data
	if s.skip > 0 {
		n := min(s.skip, int64(len(data)))
		data = data[n:]
		s.skip -= n
		s.sent += n
		if len(data) == 0 && n > 0 {
			s.cursor, s.sent = e.Cursor, 0
			return w.err
		}
	}
	stamp := timestampOf(e.Time)
	for len(data) > maxEntry {
		piece, partial := cut(data)
		data = data[len(piece):]
		s.sent += int64(len(piece))
		// The author's cursor stands behind the whole entry. A resume in its
		// middle starts at the cursor before it and drops what arrived.
		if err := w.put(s, stamp, piece, formatCursor(s.sent, s.cursor), partial); err != nil {
			return err
		}
	}
	s.cursor, s.sent = e.Cursor, 0
	return w.put(s, stamp, data, formatCursor(0, e.Cursor), e.Partial)
}

// Bytes writes data of a source whose cursor is its byte offset: data ends at
// offset end, and the cursor is end in decimal. The SDK splits data behind its
// last newline, so data may be any piece of a file as it was read.
func (w *LogWriter) Bytes(source LogSource, t time.Time, data []byte, end int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.source(source)
	stamp := timestampOf(t)
	at := end - int64(len(data))
	for len(data) > 0 {
		piece, partial := cut(data)
		data = data[len(piece):]
		at += int64(len(piece))
		s.cursor, s.sent = strconv.FormatInt(at, 10), 0
		if err := w.put(s, stamp, piece, formatCursor(0, s.cursor), partial); err != nil {
			return err
		}
	}
	return w.err
}

// Offset returns the byte offset from which to read a source that is written
// with Bytes; 0 = from the start.
func (r LogRequest) Offset(source LogSource) int64 {
	n, err := strconv.ParseInt(r.Cursor(source), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Gap marks missing bytes before the next entry of source.
func (w *LogWriter) Gap(source LogSource, g Gap) error {
	certainty := operatorv1.LogGap_CERTAINTY_POSSIBLE
	if g.Proven {
		certainty = operatorv1.LogGap_CERTAINTY_PROVEN
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.source(source)
	return w.add(s, &operatorv1.LogsResponse{Source: s.proto, Gap: &operatorv1.LogGap{
		Certainty: certainty, Reason: bound(g.Reason, maxMessage), Bytes: g.Bytes,
	}}, entryOverhead)
}

// End says that source is over. Entries that come later are marked late.
func (w *LogWriter) End(source LogSource) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.end(w.source(source))
}

func (w *LogWriter) end(s *logState) error {
	if s.ended {
		return w.err
	}
	s.ended = true
	return w.add(s, &operatorv1.LogsResponse{Source: s.proto, End: true}, entryOverhead)
}

// source returns the state of source; w.mu is held.
func (w *LogWriter) source(source LogSource) *logState {
	name := source.Name()
	s, ok := w.sources[name]
	if !ok {
		s = &logState{proto: source.proto()}
		w.sources[name] = s
	}
	return s
}

// put adds one entry to the queue; w.mu is held. data is copied.
func (w *LogWriter) put(s *logState, t *timestamppb.Timestamp, data []byte, cursor string, partial bool) error {
	entry := &operatorv1.LogEntry{Time: t, Data: bytes.Clone(data), Cursor: cursor, Partial: partial, Late: s.ended}
	size := len(data) + len(cursor) + entryOverhead
	if err := w.room(); err != nil {
		return err
	}
	if w.gone != nil || s.open == nil || s.openTaken != w.taken || s.openSize+size > targetMessage {
		return w.add(s, &operatorv1.LogsResponse{Source: s.proto, Entries: []*operatorv1.LogEntry{entry}}, size)
	}
	s.open.Entries = append(s.open.Entries, entry)
	s.openSize += size
	w.queued += size
	w.wrote = true
	return nil
}

// add queues a message of s and leaves it open for entries; w.mu is held. s is
// nil for a message that belongs to no source.
func (w *LogWriter) add(s *logState, m *operatorv1.LogsResponse, size int) error {
	if s != nil {
		w.announce()
	}
	if err := w.room(); err != nil {
		return err
	}
	w.queue = append(w.queue, m)
	w.queued += size
	if s != nil {
		w.wrote = true
		s.open, s.openSize, s.openTaken = m, size, w.taken
	}
	if m.End {
		s.open = nil
	}
	w.changed.Broadcast()
	return nil
}

// room waits until the queue has room; w.mu is held.
func (w *LogWriter) room() error {
	for w.err == nil && !w.closed && w.queued >= maxQueued {
		w.changed.Wait()
	}
	if w.err == nil && w.closed {
		w.err = context.Canceled
	}
	return w.err
}

// take waits for messages and returns all of them; ok = false at the end.
func (w *LogWriter) take() (messages []*operatorv1.LogsResponse, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) == 0 && w.err == nil && !w.closed {
		w.changed.Wait()
	}
	messages, w.queue, w.queued = w.queue, nil, 0
	w.taken++
	w.changed.Broadcast()
	return messages, len(messages) > 0 && w.err == nil
}

// fail ends the writer with err.
func (w *LogWriter) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	w.changed.Broadcast()
}

// close lets take return what is left, and then the end.
func (w *LogWriter) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.changed.Broadcast()
}

// request returns where a (further) call of Logs has to go on.
func (w *LogWriter) request(follow bool) LogRequest {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wrote = false
	r := LogRequest{Follow: follow, cursors: map[string]string{}}
	for name, s := range w.sources {
		// What was delivered behind the cursor is dropped when it comes again.
		s.skip += s.sent
		s.sent = 0
		if s.cursor != "" {
			r.cursors[name] = s.cursor
		}
	}
	return r
}

// cut returns the first piece of data: up to its last newline within the limit
// of an entry, else as much as an entry holds (then partial).
func cut(data []byte) (piece []byte, partial bool) {
	head := data[:min(len(data), maxEntry)]
	if i := bytes.LastIndexByte(head, '\n'); i >= 0 {
		return head[:i+1], false
	}
	return head, true
}

// formatCursor makes the cursor on the wire: the number of bytes that were
// delivered behind the author's cursor, a colon, the author's cursor.
func formatCursor(skip int64, cursor string) string {
	return strconv.FormatInt(skip, 10) + ":" + strings.ToValidUTF8(cursor, "\uFFFD")
}

func parseCursor(wire string) (skip int64, cursor string) {
	n, cursor, ok := strings.Cut(wire, ":")
	if !ok {
		return 0, ""
	}
	skip, err := strconv.ParseInt(n, 10, 64)
	if err != nil || skip < 0 {
		return 0, ""
	}
	return skip, cursor
}

// sourceFromName rebuilds a source that the host named and that the author has
// not written yet.
func sourceFromName(name string) *operatorv1.LogSource {
	s := &operatorv1.LogSource{Name: name}
	parts := strings.Split(name, "/")
	if len(parts) < 5 {
		return s
	}
	number := func(i int) int32 { n, _ := strconv.ParseInt(parts[i], 10, 32); return int32(n) }
	s.Attempt, s.Epoch, s.Node = number(0), number(1), number(2)
	s.Container = strings.Join(parts[3:len(parts)-1], "/")
	s.Stream = parts[len(parts)-1]
	return s
}

func timestampOf(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
