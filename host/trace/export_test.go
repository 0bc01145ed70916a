package trace_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/trace"
)

func TestExport(t *testing.T) {
	var got []byte
	var req *http.Request
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		req = r
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"partialSuccess":{}}`)
	}))
	defer srv.Close()
	tr := trace.Build(sample())
	require.NoError(t, trace.Export(t.Context(), srv.URL+"/v1/traces", http.Header{"x-team": {"ml"}}, tr))
	want, err := json.Marshal(tr)
	require.NoError(t, err)
	assert.JSONEq(t, string(want), string(got))
	assert.Equal(t, "POST", req.Method)
	assert.Equal(t, "/v1/traces", req.URL.Path)
	assert.Equal(t, "application/json", req.Header.Get("Content-Type"))
	assert.Equal(t, "ml", req.Header.Get("X-Team"))
	assert.Equal(t, int64(len(want)), req.ContentLength)
}

func TestExportRefused(t *testing.T) {
	const secret = "s3cr3t-value"
	for _, tc := range []struct {
		name, kind, body string
		code             int
		want, next       string
	}{
		{"no answer text", "", "", 200, "", ""},
		{"a word", "text/plain", "ok", 202, "", ""},
		{"a warning", "application/json", `{"partialSuccess":{"rejectedSpans":"0","errorMessage":"old format"}}`, 200, "", ""},
		{"some spans refused", "application/json", `{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}`, 200, "refused 3 spans: too old", "log"},
		{"some spans refused, as a number", "application/json", `{"partialSuccess":{"rejectedSpans":3}}`, 200, "refused 3 spans", "log"},
		{"a login page", "text/html; charset=utf-8", "<html>", 200, "web page", "4318"},
		{"no credentials", "application/json", `{"message":"missing \u001b[31m api key"}`, 401, "401 Unauthorized: missing [31m api key", "OTEL_EXPORTER_OTLP_HEADERS"},
		{"wrong path", "text/plain", "404 page not found\n", 404, "404 page not found", "/v1/traces"},
		{"no JSON", "", "", 415, "415", "collector"},
		{"busy", "", "", 503, "503", "try again"},
		{"a redirect", "", "", 307, "redirects are not followed", "leads to"},
		{"a bug", "text/html", "<html>", 500, "500 Internal Server Error", "log"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if tc.kind != "" {
					w.Header().Set("Content-Type", tc.kind)
				}
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(tc.code)
				_, _ = io.WriteString(w, tc.body)
			}))
			defer srv.Close()
			err := trace.Export(t.Context(), srv.URL+"/v1/traces?key="+secret, http.Header{"Authorization": {secret}}, trace.Build(sample()))
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.want)
			assert.NotContains(t, err.Error(), secret)
			var p *problem.Error
			require.ErrorAs(t, err, &p)
			assert.Contains(t, p.Next, tc.next)
		})
	}
}

func TestExportCannotReach(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	at := l.Addr().String()
	require.NoError(t, l.Close())
	err = trace.Export(t.Context(), "http://ada:pw@"+at+"/?key=pw", nil, trace.Build(sample()))
	require.ErrorContains(t, err, "http://"+at)
	assert.NotContains(t, err.Error(), "pw")
}

// A receiver that never answers is left when the caller's time is over.
func TestExportIsBounded(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer srv.Close()
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := trace.Export(ctx, srv.URL, nil, trace.Build(sample()))
	require.Error(t, err)
	assert.True(t, errors.Is(err, context.DeadlineExceeded), err)
}

func TestFromEnv(t *testing.T) {
	for _, tc := range []struct {
		name     string
		env      map[string]string
		endpoint string
		headers  http.Header
		off      bool
		bad      string
	}{
		{name: "none"},
		{name: "general", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, endpoint: "http://c:4318/v1/traces"},
		{name: "general with a path", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/otlp/"}, endpoint: "https://c/otlp/v1/traces"},
		{name: "for traces, as it is", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:1/x?a=b"}, endpoint: "http://t:1/x?a=b"},
		{name: "for traces, without a path", env: map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:1"}, endpoint: "http://t:1/"},
		{name: "headers", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20YTpi=, x-b = 2,"},
			endpoint: "http://c/v1/traces", headers: http.Header{"Authorization": {"Basic YTpi="}, "X-B": {"2"}}},
		{name: "headers for traces", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "a=1", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "b=2"},
			endpoint: "http://c/v1/traces", headers: http.Header{"B": {"2"}}},
		{name: "off", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, endpoint: "http://c/v1/traces", off: true},
		{name: "disabled", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "TRUE"}, endpoint: "http://c/v1/traces", off: true},
		{name: "no URL", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}, bad: "OTEL_EXPORTER_OTLP_ENDPOINT is no http or https URL"},
		{name: "grpc", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, bad: "gRPC"},
		{name: "a bad header", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "a=1,s3cr3t"}, bad: "part 2 is not name=value"},
		{name: "a header of two lines", env: map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_EXPORTER_OTLP_HEADERS": "a=s3cr3t%0Ax: y"}, bad: "the value of a is not"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := trace.FromEnv(func(name string) string { return tc.env[name] })
			if tc.bad != "" {
				require.ErrorContains(t, err, tc.bad)
				assert.NotContains(t, err.Error(), "s3cr3t")
				return
			}
			require.NoError(t, err)
			if tc.endpoint == "" {
				assert.Nil(t, got)
				return
			}
			assert.Equal(t, tc.endpoint, got.Endpoint)
			assert.Equal(t, tc.off, got.Off)
			if tc.headers != nil {
				assert.Equal(t, tc.headers, got.Headers)
			}
		})
	}
}
