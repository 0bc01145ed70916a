package trace

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/stephost/stephost/internal/version"
)

// MarshalJSON is the trace as OTLP/JSON: an ExportTraceServiceRequest in the
// JSON mapping of protobuf, but with IDs in hex and enums as numbers, as the
// specification of OTLP wants it. 64-bit integers are strings.
func (t *Trace) MarshalJSON() ([]byte, error) {
	spans := make([]spanJSON, len(t.Spans))
	for i := range t.Spans {
		var err error
		if spans[i], err = encodeSpan(t.ID, &t.Spans[i]); err != nil {
			return nil, err
		}
	}
	text := func(key, value string) attributeJSON { return attributeJSON{key, valueJSON{String: &value}} }
	return json.Marshal(requestJSON{[]resourceSpansJSON{{
		Resource:   resourceJSON{[]attributeJSON{text("service.name", "stephost"), text("service.version", version.Version)}},
		ScopeSpans: []scopeSpansJSON{{Scope: scopeJSON{scopeName, version.Version}, Spans: spans}},
	}}})
}

// scopeName says who made the spans.
const scopeName = "github.com/stephost/stephost/host/trace"

type (
	requestJSON struct {
		ResourceSpans []resourceSpansJSON `json:"resourceSpans"`
	}
	resourceSpansJSON struct {
		Resource   resourceJSON     `json:"resource"`
		ScopeSpans []scopeSpansJSON `json:"scopeSpans"`
	}
	resourceJSON struct {
		Attributes []attributeJSON `json:"attributes"`
	}
	scopeSpansJSON struct {
		Scope scopeJSON  `json:"scope"`
		Spans []spanJSON `json:"spans"`
	}
	scopeJSON struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	spanJSON struct {
		TraceID       string          `json:"traceId"`
		SpanID        string          `json:"spanId"`
		ParentSpanID  string          `json:"parentSpanId,omitempty"`
		Name          string          `json:"name"`
		Kind          Kind            `json:"kind"`
		Start         string          `json:"startTimeUnixNano"`
		End           string          `json:"endTimeUnixNano"`
		Attributes    []attributeJSON `json:"attributes,omitempty"`
		Events        []eventJSON     `json:"events,omitempty"`
		DroppedEvents int             `json:"droppedEventsCount,omitempty"`
		Status        *statusJSON     `json:"status,omitempty"`
	}
	eventJSON struct {
		Time       string          `json:"timeUnixNano"`
		Name       string          `json:"name"`
		Attributes []attributeJSON `json:"attributes,omitempty"`
	}
	statusJSON struct {
		Code    Status `json:"code"`
		Message string `json:"message,omitempty"`
	}
	attributeJSON struct {
		Key   string    `json:"key"`
		Value valueJSON `json:"value"`
	}
	// valueJSON is an AnyValue: one of these.
	valueJSON struct {
		String *string `json:"stringValue,omitempty"`
		Int    *string `json:"intValue,omitempty"`
		Bool   *bool   `json:"boolValue,omitempty"`
	}
)

func encodeSpan(trace TraceID, s *Span) (spanJSON, error) {
	out := spanJSON{TraceID: trace.String(), SpanID: s.ID.String(), Name: s.Name, Kind: s.Kind,
		Start: nanos(s.Start), End: nanos(s.End), DroppedEvents: s.DroppedEvents}
	if s.Parent != (SpanID{}) {
		out.ParentSpanID = s.Parent.String()
	}
	if s.Status != StatusUnset {
		out.Status = &statusJSON{s.Status, s.Message}
	}
	var err error
	if out.Attributes, err = encodeAttributes(s.Attributes); err != nil {
		return out, err
	}
	for _, e := range s.Events {
		attributes, err := encodeAttributes(e.Attributes)
		if err != nil {
			return out, err
		}
		out.Events = append(out.Events, eventJSON{nanos(e.At), e.Name, attributes})
	}
	return out, nil
}

func encodeAttributes(list []Attribute) ([]attributeJSON, error) {
	var out []attributeJSON
	for _, a := range list {
		var v valueJSON
		switch x := a.Value.(type) {
		case string:
			v.String = &x
		case int64:
			text := strconv.FormatInt(x, 10)
			v.Int = &text
		case bool:
			v.Bool = &x
		default:
			return nil, fmt.Errorf("attribute %s of a span has a value of type %T", a.Key, a.Value)
		}
		out = append(out, attributeJSON{a.Key, v})
	}
	return out, nil
}

// nanos is a time as an unsigned 64-bit number in a string; a time that is not
// known, or before 1970, is 0.
func nanos(t time.Time) string {
	if t.IsZero() || t.Unix() < 0 {
		return "0"
	}
	return strconv.FormatInt(t.UnixNano(), 10)
}

var _ json.Marshaler = (*Trace)(nil)
