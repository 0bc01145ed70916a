package trace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/internal/version"
)

const (
	// ExportBound bounds one export: OpenTelemetry's default of
	// OTEL_EXPORTER_OTLP_TIMEOUT. A caller who cannot wait gives a context that
	// ends earlier.
	ExportBound = 10 * time.Second
	// answerMost bounds what is read of an answer in bytes: it is shown, not kept.
	answerMost = 64 << 10
	// shownMost is what is shown of it.
	shownMost = 300
)

// Export sends a trace to an OTLP/HTTP endpoint, once: the spans of a run have
// the same IDs each time, so that whoever wants to may send them again. The
// error is a *problem.Error that says what to do, and holds no header and no
// part of the URL that may be a credential. It blocks until the receiver
// answered, ctx ends or ExportBound is over.
func Export(ctx context.Context, endpoint string, headers http.Header, t *Trace) error {
	body, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encoding the trace: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, ExportBound)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, bytes.NewReader(body))
	if err != nil {
		return failed(endpoint, errors.New("its address cannot be used"), "check the address")
	}
	for name, values := range headers {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "stephost/"+version.Version)
	if host := req.Header.Get("Host"); host != "" {
		req.Host = host
	}
	client, done := newClient()
	defer done()
	resp, err := client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // the wrapping names the whole URL
		}
		return failed(endpoint, err, "check that a receiver of OTLP/HTTP listens there, and try again")
	}
	defer func() { _ = resp.Body.Close() }()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, answerMost)) // what is cut off only shortens a text
	return judge(endpoint, resp, answer)
}

// newClient is a client for one request: nothing of it stays behind. It follows
// no redirect, because headers with credentials would go along.
func newClient() (*http.Client, func()) {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		transport.CloseIdleConnections
}

// judge reads the receiver's answer.
func judge(endpoint string, resp *http.Response, answer []byte) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	said := func(text string) error {
		if text == "" {
			return fmt.Errorf("it answered %s", resp.Status)
		}
		return fmt.Errorf("it answered %s: %s", resp.Status, text)
	}
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300 && kind == "text/html":
		return failed(endpoint, errors.New("it answered with a web page"), "give the address of OTLP/HTTP, which usually has port 4318 and ends in /v1/traces")
	case code >= 200 && code < 300:
		return rejected(endpoint, answer)
	case code >= 300 && code < 400:
		return failed(endpoint, said("redirects are not followed, because credentials would go along"), "give the address that it leads to")
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return failed(endpoint, said(message(kind, answer)), "give the receiver's credentials in "+envHeaders+" (name=value)")
	case code == http.StatusNotFound || code == http.StatusMethodNotAllowed:
		return failed(endpoint, said(message(kind, answer)), fmt.Sprintf("check the path: %s is used as it is, %s gets /v1/traces added", EnvTracesEndpoint, EnvEndpoint))
	case code == http.StatusUnsupportedMediaType:
		return failed(endpoint, said(message(kind, answer)), "use a receiver that takes OTLP as JSON, for example an OpenTelemetry collector")
	case code == http.StatusTooManyRequests || code >= 502 && code <= 504:
		return failed(endpoint, said(message(kind, answer)), "try again later: the same spans are sent once more")
	default:
		return failed(endpoint, said(message(kind, answer)), "see what the receiver's own log says")
	}
}

// rejected reads an answer of success, which may say that spans were refused.
func rejected(endpoint string, answer []byte) error {
	var a struct {
		PartialSuccess struct {
			RejectedSpans json.RawMessage `json:"rejectedSpans"` // an int64: a string or a number
			ErrorMessage  string          `json:"errorMessage"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(answer, &a) != nil {
		return nil // some receivers answer with nothing, or with a word
	}
	switch n := strings.Trim(string(a.PartialSuccess.RejectedSpans), `"`); n {
	case "", "0", "null":
		return nil
	default:
		return failed(endpoint, fmt.Errorf("it refused %s spans: %s", problem.Bound(n, 20), tidy(a.PartialSuccess.ErrorMessage)), "see what the receiver's own log says")
	}
}

// message is what a refusal says: the message of a Status, or the text.
func message(kind string, answer []byte) string {
	var status struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &status) == nil && status.Message != "" {
		return tidy(status.Message)
	}
	if kind == "text/html" {
		return ""
	}
	return tidy(string(answer))
}

// tidy makes one bounded line of a receiver's text: it goes to a terminal.
func tidy(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\ufffd' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, " "))
	return problem.Bound(strings.Join(strings.Fields(text), " "), shownMost)
}

func failed(endpoint string, err error, next string) error {
	return &problem.Error{Summary: "the trace could not be sent to " + problem.Bound(Shown(endpoint), shownMost), Err: err, Next: next}
}
