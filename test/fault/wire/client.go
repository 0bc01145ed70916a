package wire

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

// Headers besides the JSON.
const (
	HeaderPID     = "X-Plugin-Pid"
	HeaderProject = "X-Project" // percent-encoded
	HeaderFirst   = "X-First"
	HeaderNext    = "X-Next"
	HeaderEnd     = "X-End"
	HeaderFile    = "X-File"
	HeaderRetryMS = "X-Retry-After-Ms"
)

const (
	// maxAnswer bounds one answer: the list of ten thousand jobs is far below.
	maxAnswer = 64 << 20
	// dialTimeout: a unix socket answers at once or not at all.
	dialTimeout = 5 * time.Second
	// idleConns: a thousand watches share few connections.
	idleConns = 64
)

// APIError is an answer of the backend other than success.
type APIError struct {
	Status     int           `json:"-"`
	Code       string        `json:"code"`
	Message    string        `json:"message"`
	RetryAfter time.Duration `json:"-"`
	// Job is the one that has the name (409).
	Job *Job `json:"job,omitempty"`
}

// Codes of APIError.
const (
	CodeExists       = "exists"
	CodeNotFound     = "not_found"
	CodeCapacity     = "no_capacity"
	CodeThrottled    = "throttled"
	CodeUnauthorized = "unauthorized"
	CodeInvalid      = "invalid"
	CodeInternal     = "internal"
	CodeRange        = "range"
)

// Error describes the answer.
func (e *APIError) Error() string {
	return fmt.Sprintf("the backend answered %d %s: %s", e.Status, e.Code, e.Message)
}

// IsCode tells whether err is an APIError with code.
func IsCode(err error, code string) bool {
	var e *APIError
	return errors.As(err, &e) && e.Code == code
}

// Client talks to one backend. Safe for concurrent use.
type Client struct {
	http    *http.Client
	project *string
}

// NewClient returns a client of the backend at socket. Nothing is opened before
// the first call. The creating call is never retried: net/http does not replay
// a POST.
func NewClient(socket string) *Client {
	d := &net.Dialer{Timeout: dialTimeout}
	return &Client{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
		MaxIdleConnsPerHost: idleConns,
		IdleConnTimeout:     dialTimeout,
	}}}
}

// In makes c tell on behalf of which project it calls.
func (c *Client) In(project string) *Client {
	c.project = &project
	return c
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Create makes a job.
func (c *Client) Create(ctx context.Context, r JobRequest) (*Job, error) {
	var j Job
	return &j, c.call(ctx, http.MethodPost, "/jobs", r, &j)
}

// Get reads a job.
func (c *Client) Get(ctx context.Context, id string) (*Job, error) {
	var j Job
	return &j, c.call(ctx, http.MethodGet, "/jobs/"+url.PathEscape(id), nil, &j)
}

// List returns the jobs whose label has the value.
func (c *Client) List(ctx context.Context, label, value string) ([]Job, error) {
	var js []Job
	return js, c.call(ctx, http.MethodGet, "/jobs?"+url.Values{"label": {label}, "value": {value}}.Encode(), nil, &js)
}

// Batch reads many jobs; those that do not exist are missing in the answer.
func (c *Client) Batch(ctx context.Context, ids []string) (map[string]Job, error) {
	var js map[string]Job
	return js, c.call(ctx, http.MethodPost, "/batch", ids, &js)
}

// Cancel ends a job.
func (c *Client) Cancel(ctx context.Context, id string, grace time.Duration, force bool) error {
	return c.call(ctx, http.MethodPost, "/jobs/"+url.PathEscape(id)+"/cancel",
		CancelRequest{GraceMS: grace.Milliseconds(), Force: force}, nil)
}

// CancelRequest is the body of Cancel.
type CancelRequest struct {
	GraceMS int64 `json:"grace_ms"`
	Force   bool  `json:"force"`
}

// Delete removes an ended job.
func (c *Client) Delete(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/jobs/"+url.PathEscape(id), nil, nil)
}

// Account returns who answers.
func (c *Client) Account(ctx context.Context) (string, error) {
	var a string
	return a, c.call(ctx, http.MethodGet, "/account", nil, &a)
}

// Logs reads from offset; with wait it waits so long for more.
func (c *Client) Logs(ctx context.Context, id string, epoch int, stream string, offset int64, wait time.Duration) (*Chunk, error) {
	q := url.Values{
		"epoch": {strconv.Itoa(epoch)}, "stream": {stream}, "offset": {strconv.FormatInt(offset, 10)},
		"wait_ms": {strconv.FormatInt(wait.Milliseconds(), 10)},
	}
	resp, err := c.do(ctx, http.MethodGet, "/jobs/"+url.PathEscape(id)+"/logs?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	ch := &Chunk{Data: data, End: resp.Header.Get(HeaderEnd) == "true"}
	ch.First, _ = strconv.ParseInt(resp.Header.Get(HeaderFirst), 10, 64)
	ch.Next, err = strconv.ParseInt(resp.Header.Get(HeaderNext), 10, 64)
	return ch, err
}

// Outputs lists the files that a job left.
func (c *Client) Outputs(ctx context.Context, id string) ([]OutputFile, error) {
	var files []OutputFile
	return files, c.call(ctx, http.MethodGet, "/jobs/"+url.PathEscape(id)+"/outputs", nil, &files)
}

// Output opens one of them at an offset.
func (c *Client) Output(ctx context.Context, id, name string, offset int64) (*OutputFile, io.ReadCloser, error) {
	q := url.Values{"name": {name}, "offset": {strconv.FormatInt(offset, 10)}}
	resp, err := c.do(ctx, http.MethodGet, "/jobs/"+url.PathEscape(id)+"/output?"+q.Encode(), nil)
	if err != nil {
		return nil, nil, err
	}
	f := &OutputFile{Name: name}
	if err := json.Unmarshal([]byte(resp.Header.Get(HeaderFile)), f); err != nil {
		resp.Body.Close()
		return nil, nil, err
	}
	return f, resp.Body, nil
}

// AddRule is for tests: it adds faults.
func (c *Client) AddRule(ctx context.Context, r FaultRule) error {
	return c.call(ctx, http.MethodPost, "/admin/rules", r, nil)
}

// SetWeather is for tests.
func (c *Client) SetWeather(ctx context.Context, w Weather) error {
	return c.call(ctx, http.MethodPost, "/admin/weather", w, nil)
}

// AllJobs is for tests: every job that ever was, also deleted ones.
func (c *Client) AllJobs(ctx context.Context) ([]Job, error) {
	var js []Job
	return js, c.call(ctx, http.MethodGet, "/admin/jobs", nil, &js)
}

// DeleteBehind is for tests: it kills a job and forgets it.
func (c *Client) DeleteBehind(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/admin/jobs/"+url.PathEscape(id), nil, nil)
}

// Stats is for tests.
func (c *Client) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	return s, c.call(ctx, http.MethodGet, "/admin/stats", nil, &s)
}

// Projects is for tests: calls by name and project, since the start.
func (c *Client) Projects(ctx context.Context) (map[string]Stats, error) {
	var p map[string]Stats
	return p, c.call(ctx, http.MethodGet, "/admin/projects", nil, &p)
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.do(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body := io.LimitReader(resp.Body, maxAnswer)
	if out != nil {
		return json.NewDecoder(body).Decode(out)
	}
	_, err = io.Copy(io.Discard, body)
	return err
}

func (c *Client) do(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://backend"+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set(HeaderPID, strconv.Itoa(os.Getpid()))
	if c.project != nil {
		req.Header.Set(HeaderProject, url.QueryEscape(*c.project))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < http.StatusMultipleChoices {
		return resp, nil
	}
	defer resp.Body.Close()
	e := &APIError{Status: resp.StatusCode, Code: CodeInternal}
	_ = json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(e) // a broken body leaves the status
	if ms, err := strconv.Atoi(resp.Header.Get(HeaderRetryMS)); err == nil {
		e.RetryAfter = time.Duration(ms) * time.Millisecond
	}
	return nil, e
}
