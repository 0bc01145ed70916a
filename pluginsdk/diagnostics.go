package pluginsdk

import (
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Limits of the contract.
const (
	maxSummary = 200
	maxDetail  = 8 << 10
	maxMessage = 1 << 10
)

// maxExitCode is the largest exit code of a process that can be told.
const maxExitCode = 255

// diagnosticsOf makes one diagnostic of each error that err joins.
func diagnosticsOf(err error) []*operatorv1.Diagnostic {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var ds []*operatorv1.Diagnostic
		for _, e := range joined.Unwrap() {
			ds = append(ds, diagnosticsOf(e)...)
		}
		return ds
	}
	return []*operatorv1.Diagnostic{diagnosticOf(err)}
}

// diagnosticOf makes one diagnostic: the first line of the text, shortened, is
// the summary; the whole text is the detail when it is longer.
func diagnosticOf(err error) *operatorv1.Diagnostic {
	text := strings.TrimSpace(err.Error())
	summary, _, _ := strings.Cut(text, "\n")
	summary = bound(strings.TrimRight(strings.TrimSpace(summary), "."), maxSummary)
	d := &operatorv1.Diagnostic{
		Severity: operatorv1.Severity_SEVERITY_ERROR, Summary: summary, Class: operatorv1.Class(classOf(err)),
	}
	if text != summary {
		d.Detail = bound(text, maxDetail)
	}
	if e := find(err); e != nil {
		for ; e != nil && len(d.Attribute) == 0; e = find(e.Err) {
			d.Attribute = e.Attribute
		}
		switch e := find(err); {
		case e.Warning:
			d.Severity, d.Class = operatorv1.Severity_SEVERITY_WARNING, operatorv1.Class_CLASS_UNSPECIFIED
		case e.Note:
			d.Severity, d.Class = operatorv1.Severity_SEVERITY_NOTE, operatorv1.Class_CLASS_UNSPECIFIED
		}
	}
	return d
}

// warningsOf returns what Step.Warn collected.
func warningsOf(s *Step) []*operatorv1.Diagnostic {
	if s == nil {
		return nil
	}
	var ds []*operatorv1.Diagnostic
	for _, w := range s.warnings {
		ds = append(ds, diagnosticOf(w))
	}
	return ds
}

// couldNotAsk makes the contract's answer of any error of a read.
func couldNotAsk(err error) *operatorv1.CouldNotAsk {
	c := &operatorv1.CouldNotAsk{
		Reason:     operatorv1.CouldNotAsk_REASON_UNREACHABLE,
		Diagnostic: diagnosticOf(err),
	}
	if e := askOf(err); e != nil {
		c.Reason = operatorv1.CouldNotAsk_Reason(e.Ask)
		if e.RetryAfter > 0 {
			c.RetryAfter = durationpb.New(e.RetryAfter)
		}
	} else if classOf(err) == ClassAuth {
		c.Reason = operatorv1.CouldNotAsk_REASON_AUTH
	}
	// "Could not ask" is never the verdict of a person's cancel.
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		c.Diagnostic.Class = operatorv1.Class_CLASS_SYSTEM
	}
	return c
}

// askOf returns the error of the chain that says that nobody could be asked.
func askOf(err error) *Error {
	for e := find(err); e != nil; e = find(e.Err) {
		if e.Ask != 0 {
			return e
		}
	}
	return nil
}

// bound shortens s to at most n bytes without cutting a character, and makes it
// valid UTF-8, which proto3 strings must be.
func bound(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= n {
		return s
	}
	const dots = "..."
	end := n - len(dots)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + dots
}
