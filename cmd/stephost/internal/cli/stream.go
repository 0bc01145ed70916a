//go:build !front

package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/runs/spool"
)

// The lines of --output json for commands that go on for a while: one JSON
// object a line, {v, type, ...}; the last one has type "result".
// docs/json-output.md describes them; v changes when a field goes away or
// changes its meaning.
const streamVersion = 1

type statusLine struct {
	Version int       `json:"v"`
	Type    string    `json:"type"` // "status"
	Run     string    `json:"run"`
	Attempt int       `json:"attempt,omitempty"`
	Phase   string    `json:"phase,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	Message string    `json:"message,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Until   time.Time `json:"until,omitzero"`
	URL     string    `json:"url,omitempty"`
}

type noticeLine struct {
	Version     int                   `json:"v"`
	Type        string                `json:"type"`  // "notice"
	Level       string                `json:"level"` // "info", "warning" or "progress"
	Run         string                `json:"run,omitempty"`
	Message     string                `json:"message,omitempty"`
	Diagnostics []diag.JSONDiagnostic `json:"diagnostics,omitempty"`
}

type logSource struct {
	Attempt   int32  `json:"attempt,omitempty"`
	Epoch     int32  `json:"epoch,omitempty"`
	Node      int32  `json:"node"`
	Container string `json:"container,omitempty"`
	Stream    string `json:"stream,omitempty"`
}

type logLine struct {
	Version int       `json:"v"`
	Type    string    `json:"type"` // "log"
	Source  logSource `json:"source"`
	Time    time.Time `json:"time,omitzero"`
	// Text holds whole lines with their line ends, or a part of one line; Base64
	// stands in its place where the bytes are not UTF-8.
	Text    string `json:"text,omitempty"`
	Base64  string `json:"base64,omitempty"`
	Partial bool   `json:"partial,omitempty"`
	Late    bool   `json:"late,omitempty"`
}

type gapLine struct {
	Version   int       `json:"v"`
	Type      string    `json:"type"` // "gap"
	Source    logSource `json:"source"`
	Time      time.Time `json:"time,omitzero"`
	Certainty string    `json:"certainty"`
	Reason    string    `json:"reason,omitempty"`
	Bytes     int64     `json:"bytes,omitempty"`
}

// resultLine is the last line: host.Result, with what was wrong in the files
// where that is why there is no run.
type resultLine struct {
	host.Result
	Diagnostics []diag.JSONDiagnostic `json:"diagnostics,omitempty"`
}

func sourceFields(s spool.Source) logSource {
	return logSource{Attempt: s.Attempt, Epoch: s.Epoch, Node: s.Node, Container: s.Container, Stream: s.Stream}
}

func statusOf(n launch.Notice) statusLine {
	return statusLine{Version: streamVersion, Type: "status", Run: n.Run, Attempt: n.Attempt, Phase: n.Phase, Reason: n.Reason,
		Message: n.Message, Since: n.Since, Until: n.Until, URL: n.URL}
}

// recordJSON is one record of the log as a line; nil for what programs need not
// see.
func recordJSON(rec *spool.Record) any {
	switch rec.Kind {
	case spool.KindEntry:
		l := logLine{Version: streamVersion, Type: "log", Source: sourceFields(rec.Source), Time: rec.Entry.Time,
			Partial: rec.Entry.Partial, Late: rec.Entry.Late}
		if utf8.Valid(rec.Entry.Data) {
			l.Text = string(rec.Entry.Data)
		} else {
			l.Base64 = base64.StdEncoding.EncodeToString(rec.Entry.Data)
		}
		return l
	case spool.KindGap:
		return gapLine{Version: streamVersion, Type: "gap", Source: sourceFields(rec.Source), Time: rec.Time,
			Certainty: rec.Gap.Certainty, Reason: rec.Gap.Reason, Bytes: rec.Gap.Bytes}
	case spool.KindNote, spool.KindEpoch:
		return noticeLine{Version: streamVersion, Type: "notice", Level: "info", Message: rec.Note}
	default:
		return nil
	}
}

// jsonBytes is v as one line.
func jsonBytes(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // a value of the step that is no JSON: it was checked when it was stored
		b.Reset()
		_ = enc.Encode(noticeLine{Version: streamVersion, Type: "notice", Level: "warning", Message: err.Error()})
	}
	return b.Bytes()
}
