package main

import (
	"cmp"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"cloud.google.com/go/logging/apiv2/loggingpb"
	logtype "google.golang.org/genproto/googleapis/logging/type"

	"github.com/stephost/stephost/pluginsdk"
)

// place is where an entry stands: Cloud Logging sorts by time, then by insert
// ID.
type place struct {
	nanos int64
	id    string
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.nanos, q.nanos), strings.Compare(p.id, q.id))
}

func (p place) time() time.Time { return time.Unix(0, p.nanos) }

// line is an entry on its way.
type line struct {
	source   pluginsdk.LogSource
	at       place
	received int64
	seen     time.Time // by this process's clock
	text     string
	cursor   string
}

// position is what a cursor holds: the last entry that was written, and the
// latest receive time of what had been read by then. late is, of the entries that
// were received then and came late, the last that was written, while there are more:
// one batch of a writer has one receive time, and a break may fall into it.
type position struct {
	at       place
	received int64
	late     place
}

// cursor is "time/receive time/insert ID", times in nanoseconds. Behind the receive
// time stands "~time~insert ID" of the late entry, if any.
func (p position) cursor() string {
	late := ""
	if p.late != (place{}) {
		late = "~" + strconv.FormatInt(p.late.nanos, 10) + "~" + url.PathEscape(p.late.id)
	}
	return strconv.FormatInt(p.at.nanos, 10) + "/" + strconv.FormatInt(p.received, 10) + late + "/" + p.at.id
}

func parsePosition(cursor string) (p position, ok bool) {
	parts := strings.SplitN(cursor, "/", 3)
	if len(parts) != 3 {
		return p, false
	}
	p.at.id = parts[2]
	received, late, more := strings.Cut(parts[1], "~")
	var err1, err2, err3, err4 error
	p.at.nanos, err1 = strconv.ParseInt(parts[0], 10, 64)
	p.received, err2 = strconv.ParseInt(received, 10, 64)
	if more {
		nanos, id, _ := strings.Cut(late, "~")
		p.late.nanos, err3 = strconv.ParseInt(nanos, 10, 64)
		p.late.id, err4 = url.PathUnescape(id)
	}
	return p, errors.Join(err1, err2, err3, err4) == nil
}

// holds tells whether an entry had been written when the cursor was made: what lies
// behind its place had not, and what lies before it only if it was received later.
func (p position) holds(at place, received int64) bool {
	return at.compare(p.at) <= 0 &&
		(received < p.received || received == p.received && (p.late == place{} || at.compare(p.late) <= 0))
}

// sorter puts entries into order. It knows no clock but that of its caller and
// those that the entries carry.
type sorter struct {
	attempt int
	resumed bool
	last    map[pluginsdk.LogSource]position // what was written of each source
	// seen are entries that were read, by receive time, so that the overlap is
	// not written twice.
	seen    map[place]int64
	pending []line // sorted but for what was added since the last due
	sorted  int    // how much of it is
	// received is the latest receive time that was read.
	received int64
	// begun is when the last question began, by this process's clock; ahead is how
	// far the service's clock is ahead of it at least.
	begun time.Time
	ahead time.Duration
	// since is the receive time from which the next question asks; 0 = from the
	// beginning.
	since int64
	// behind is the earliest time from which a resumed source has to be read; it
	// counts for the first question.
	behind int64
}

func newSorter(d handleData, r pluginsdk.LogRequest) *sorter { return newSorterFrom(d, r.Cursor) }

func newSorterFrom(d handleData, cursor func(pluginsdk.LogSource) string) *sorter {
	s := &sorter{attempt: d.Attempt, last: map[pluginsdk.LogSource]position{}, seen: map[place]int64{}, ahead: -mostSkew}
	for node := range max(d.Nodes, 1) {
		for _, stream := range []string{"stdout", "stderr"} {
			source := pluginsdk.LogSource{Attempt: d.Attempt, Node: node, Stream: stream}
			p, ok := parsePosition(cursor(source))
			if !ok {
				continue
			}
			s.last[source] = p
			if !s.resumed || p.at.nanos < s.behind {
				s.behind = p.at.nanos
			}
			if !s.resumed || p.received < s.received {
				s.received = p.received
			}
			s.resumed = true
		}
	}
	// A source without a cursor may have had entries that never arrived. Whether
	// it has any is not known, so the log is read from its beginning then.
	if len(s.last) < 2*max(d.Nodes, 1) {
		s.behind = 0
	}
	return s
}

// begin is called before each question. What was received before the one
// before it began, by the service's clock, was readable then.
func (s *sorter) begin(now time.Time) {
	if !s.begun.IsZero() {
		s.since = max(s.since, min(s.begun.Add(s.ahead).UnixNano(), s.received)-overlap.Nanoseconds())
	}
	s.begun = now
}

// bounds are the receive time and the time from which to ask; zero = from the
// beginning. Of the first question behind a break both count: what lies behind
// the cursors' place, and what came late.
func (s *sorter) bounds() (received, behind time.Time) {
	switch {
	case s.since != 0:
		return time.Unix(0, s.since), behind
	case !s.resumed || s.behind == 0:
		return received, behind
	}
	return time.Unix(0, s.received).Add(-overlap), time.Unix(0, s.behind)
}

// add takes an entry; news = it was not known.
func (s *sorter) add(e *loggingpb.LogEntry, now time.Time) (news bool) {
	source, ok := s.source(e)
	if !ok {
		return false
	}
	at := place{e.GetTimestamp().AsTime().UnixNano(), e.GetInsertId()}
	received := e.GetReceiveTimestamp().AsTime().UnixNano()
	s.received = max(s.received, received)
	s.ahead = max(s.ahead, time.Duration(received-now.UnixNano()))
	if _, ok := s.seen[at]; ok {
		return false
	}
	s.seen[at] = received
	if p, ok := s.last[source]; ok && p.holds(at, received) {
		return false
	}
	s.pending = append(s.pending, line{source: source, at: at, received: received, seen: now, text: textOf(e)})
	return true
}

// waiting tells whether entries are held back.
func (s *sorter) waiting() bool { return len(s.pending) > 0 }

// due returns what may be written now, in its order: first what came late, then
// entries that waited long enough, and all that stand before them.
func (s *sorter) due(now time.Time, all bool) []line {
	out := s.late()
	slices.SortFunc(s.pending[s.sorted:], byPlace)
	if s.sorted > 0 && s.sorted < len(s.pending) && byPlace(s.pending[s.sorted-1], s.pending[s.sorted]) > 0 {
		slices.SortFunc(s.pending, byPlace)
	}
	n := len(s.pending)
	for ; n > 0 && !all; n-- {
		if now.Sub(s.pending[n-1].seen) >= hold {
			break
		}
	}
	for _, l := range s.pending[:n] {
		p := s.last[l.source]
		// What came earlier than this stands before it, and was written.
		p.at, p.received, p.late = l.at, max(p.received, l.received), place{}
		s.last[l.source] = p
		l.cursor = p.cursor()
		out = append(out, l)
	}
	s.pending = s.pending[n:]
	s.sorted = len(s.pending)
	s.forget()
	return out
}

func byPlace(a, b line) int { return a.at.compare(b.at) }

// late takes the entries whose place was passed already. They are written in the
// order in which they were received, so that a break in the middle loses none:
// the cursor keeps its place and moves its receive time.
func (s *sorter) late() []line {
	var out []line
	rest := s.pending[:s.sorted]
	for _, l := range s.pending[s.sorted:] {
		if p, ok := s.last[l.source]; ok && l.at.compare(p.at) <= 0 {
			out = append(out, l)
		} else {
			rest = append(rest, l)
		}
	}
	s.pending = rest
	slices.SortFunc(out, func(a, b line) int { return cmp.Or(cmp.Compare(a.received, b.received), byPlace(a, b)) })
	for i, l := range out {
		p := s.last[l.source]
		if l.received >= p.received {
			p.received, p.late = l.received, place{}
			if slices.ContainsFunc(out[i+1:], func(m line) bool { return m.source == l.source && m.received == l.received }) {
				p.late = l.at
			}
			s.last[l.source] = p
		}
		out[i].cursor = p.cursor()
	}
	return out
}

// forget drops what no later question can bring again.
func (s *sorter) forget() {
	const enough = 100_000
	if len(s.seen) < enough || s.since == 0 {
		return
	}
	for at, received := range s.seen {
		if received < s.since {
			delete(s.seen, at)
		}
	}
}

// source is the node and stream of an entry: Vertex AI writes the container's
// standard output with severity INFO and its standard error with ERROR
// (https://cloud.google.com/vertex-ai/docs/training/code-requirements#logs).
func (s *sorter) source(e *loggingpb.LogEntry) (pluginsdk.LogSource, bool) {
	pool, replica, ok := strings.Cut(strings.TrimPrefix(e.GetResource().GetLabels()["task_name"], "workerpool"), "-")
	p, err1 := strconv.Atoi(pool)
	n, err2 := strconv.Atoi(replica)
	if !ok || err1 != nil || err2 != nil || p < 0 || p > 1 {
		return pluginsdk.LogSource{}, false
	}
	source := pluginsdk.LogSource{Attempt: s.attempt, Node: p + n, Stream: "stdout"}
	if e.GetSeverity() >= logtype.LogSeverity_ERROR {
		source.Stream = "stderr"
	}
	return source, true
}

// textOf is the line of an entry. A line that is a JSON object arrives as one,
// with its names sorted: its text is not kept by Cloud Logging.
func textOf(e *loggingpb.LogEntry) string {
	fields := e.GetJsonPayload().GetFields()
	if fields == nil {
		return e.GetTextPayload()
	}
	message, ok := fields["message"]
	if ok && len(fields) == 1 {
		return message.GetStringValue()
	}
	if !ok {
		return compactJSON(e.GetJsonPayload())
	}
	for name := range fields {
		if !slices.Contains(agentFields(), name) {
			return compactJSON(e.GetJsonPayload())
		}
	}
	return message.GetStringValue()
}

// agentFields are what the agent on the machine puts beside a line that was
// plain text.
func agentFields() []string {
	return []string{"message", "levelname", "attrs", "created", "filename", "lineno", "pathname", "thread", "process", "name"}
}
