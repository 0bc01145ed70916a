package trace

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// TraceID and SpanID are those of W3C Trace Context; all zeroes is none.
type (
	TraceID [16]byte
	SpanID  [8]byte
)

// String is the ID in lower-case hex.
func (id TraceID) String() string { return hex.EncodeToString(id[:]) }

// String is the ID in lower-case hex.
func (id SpanID) String() string { return hex.EncodeToString(id[:]) }

// Trace is one run. The first span is the run itself; parents stand before
// their children.
type Trace struct {
	ID    TraceID
	Spans []Span
}

// Span is a part of a run with a beginning and an end.
type Span struct {
	ID, Parent SpanID
	Name       string
	Kind       Kind
	Start, End time.Time
	Attributes []Attribute
	Events     []Event
	// DroppedEvents counts those that were left out because there were too many.
	DroppedEvents int
	Status        Status
	// Message explains StatusError.
	Message string
}

// Event is what happened at one instant.
type Event struct {
	At         time.Time
	Name       string
	Attributes []Attribute
}

// Attribute is a named value: a string, an int64 or a bool.
type Attribute struct {
	Key   string
	Value any
}

// Kind is OpenTelemetry's SpanKind.
type Kind int

// The kinds that a run has. Client: a request to a remote service.
const (
	KindInternal Kind = 1
	KindClient   Kind = 3
)

// Status is OpenTelemetry's StatusCode.
type Status int

// The statuses of a span.
const (
	StatusUnset Status = 0
	StatusOK    Status = 1
	StatusError Status = 2
)

// IDOf is the trace ID of a run: the 16 bytes of its ULID.
func IDOf(run string) TraceID {
	if id, err := ulid.ParseStrict(run); err == nil && TraceID(id) != (TraceID{}) {
		return TraceID(id)
	}
	// No run that a store made comes here; a trace ID of zeroes would be
	// refused by every receiver.
	sum := sha256.Sum256([]byte("stephost/trace1|" + run))
	return TraceID(sum[:16])
}

// spanID is the ID of the span at a path of a run. It does not depend on the
// trace ID, so that a run keeps its spans in a caller's trace.
func spanID(run, path string) SpanID {
	sum := sha256.Sum256([]byte("stephost/span1|" + run + "|" + path))
	return SpanID(sum[:8])
}

// Parent is the caller's span, as TRACEPARENT names it.
type Parent struct {
	Trace TraceID
	Span  SpanID
	// Sampled: the caller records its trace.
	Sampled bool
}

// ParseParent reads a traceparent of W3C Trace Context:
// "00-<32 hex>-<16 hex>-<2 hex>". Later versions may say more behind that.
func ParseParent(text string) (*Parent, error) {
	bad := func(why string) (*Parent, error) { return nil, fmt.Errorf("not a W3C traceparent: %s", why) }
	parts := strings.Split(text, "-")
	if len(parts) < 4 || len(parts[0]) != 2 || len(parts[1]) != 32 || len(parts[2]) != 16 || len(parts[3]) != 2 {
		return bad("want VERSION-TRACE-SPAN-FLAGS with 2, 32, 16 and 2 hex digits")
	}
	if strings.ToLower(text) != text {
		return bad("hex digits are lower case")
	}
	raw, err := hex.DecodeString(parts[0] + parts[1] + parts[2] + parts[3])
	if err != nil {
		return bad("it holds something else than hex digits")
	}
	p := &Parent{Trace: TraceID(raw[1:17]), Span: SpanID(raw[17:25]), Sampled: raw[25]&1 == 1}
	switch {
	case raw[0] == 0xff:
		return bad("the version ff is forbidden")
	case raw[0] == 0 && len(parts) != 4:
		return bad("version 00 has four parts")
	case p.Trace == TraceID{} || p.Span == SpanID{}:
		return bad("an ID of zeroes is none")
	}
	return p, nil
}

// Under is the trace as a part of the caller's: in its trace, below its span.
// With nil it is t.
func (t *Trace) Under(p *Parent) *Trace {
	if p == nil {
		return t
	}
	in := &Trace{ID: p.Trace, Spans: append([]Span(nil), t.Spans...)}
	if len(in.Spans) > 0 {
		in.Spans[0].Parent = p.Span
	}
	return in
}
