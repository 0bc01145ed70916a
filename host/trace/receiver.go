package trace

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/stephost/stephost/host/problem"
)

// The variables of OpenTelemetry that say where traces go.
const (
	EnvTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	EnvEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envTracesHeaders  = "OTEL_EXPORTER_OTLP_TRACES_HEADERS"
	envHeaders        = "OTEL_EXPORTER_OTLP_HEADERS"
	envTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
	envProtocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	envTracesExporter = "OTEL_TRACES_EXPORTER"
	envDisabled       = "OTEL_SDK_DISABLED"

	// EnvParent names the caller's span (W3C Trace Context).
	EnvParent = "TRACEPARENT"
)

// Receiver is where traces go.
type Receiver struct {
	// Endpoint is the full URL of OTLP/HTTP for traces.
	Endpoint string
	// Headers go with each request. They may hold credentials: never print them.
	Headers http.Header
	// Off: the same variables say that nothing is to be exported by itself.
	Off bool
}

// FromEnv reads OpenTelemetry's own variables, of which those for traces win
// over the general ones. The receiver is nil where none is named. Errors are
// *problem.Error and hold no header.
func FromEnv(getenv func(string) string) (*Receiver, error) {
	name, at := EnvTracesEndpoint, strings.TrimSpace(getenv(EnvTracesEndpoint))
	if at == "" {
		name, at = EnvEndpoint, strings.TrimSpace(getenv(EnvEndpoint))
	}
	if at == "" {
		return nil, nil
	}
	r := &Receiver{Off: strings.EqualFold(getenv(envDisabled), "true") || getenv(envTracesExporter) == "none"}
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return r, &problem.Error{Summary: name + " is no http or https URL",
			Next: "set it to the receiver's OTLP/HTTP address, for example " + example(name)}
	}
	if protocol := or(getenv(envTracesProtocol), getenv(envProtocol)); protocol == "grpc" {
		return r, &problem.Error{Summary: "traces are sent by OTLP/HTTP, and the environment asks for OTLP over gRPC",
			Next: fmt.Sprintf("set %s to the receiver's OTLP/HTTP address (its usual port is 4318) and %s to http/json", EnvTracesEndpoint, envTracesProtocol)}
	}
	if name == EnvEndpoint {
		u = u.JoinPath("v1", "traces")
	} else if u.Path == "" {
		u.Path = "/"
	}
	r.Endpoint = u.String()
	name = envTracesHeaders
	if getenv(name) == "" {
		name = envHeaders
	}
	if r.Headers, err = parseHeaders(getenv(name)); err != nil {
		return r, &problem.Error{Summary: name + " cannot be read", Err: err, Next: "write it as name=value,name=value with values percent-encoded"}
	}
	return r, nil
}

func example(name string) string {
	if name == EnvEndpoint {
		return "http://localhost:4318"
	}
	return "http://localhost:4318/v1/traces"
}

// parseHeaders reads "name=value,name=value"; values are percent-encoded. Its
// errors hold no value.
func parseHeaders(text string) (http.Header, error) {
	h := http.Header{}
	for i, pair := range strings.Split(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		if !ok || !token(name) {
			return nil, fmt.Errorf("its part %d is not name=value", i+1)
		}
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if err != nil || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return nil, fmt.Errorf("the value of %s is not percent-encoded text of one line", problem.Bound(name, 100))
		}
		h.Set(name, value)
	}
	return h, nil
}

// token tells whether text may be the name of a header (RFC 9110).
func token(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

// Shown is the endpoint for a person: without user, password and query, which
// may be credentials.
func Shown(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "the receiver"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
