package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Bounds of the talk with a registry. They are for hangs; a registry that works
// answers in milliseconds, and only the commit of a large blob takes long.
const (
	dialBound   = 10 * time.Second
	answerBound = 3 * time.Minute // a registry over object storage copies a blob when it is committed
	// stallBound ends a transfer in which no byte moved.
	stallBound = 90 * time.Second
)

// Backoff of repeated requests: a registry that was restarted is back in
// seconds, one that throttles says when (Retry-After).
const (
	retryTries = 7
	retryFirst = 250 * time.Millisecond
	retryMost  = 15 * time.Second
	// retryAfterMost bounds what a registry may ask for.
	retryAfterMost = 2 * time.Minute
)

// connector opens sessions with registries. Safe for concurrent use.
type connector struct {
	r         *Request
	transport http.RoundTripper // nil = made at first use
	first     time.Duration     // first pause

	cache *cache // what is remembered of registries lies there; may be nil
	keeps bool   // it is noted there too: not by who only looks

	mu    sync.Mutex
	base  *http.Transport
	after time.Duration // what the last answer asked for by Retry-After
	pings map[string]*pingAnswer
}

func newConnector(r *Request) *connector {
	c := &connector{r: r, first: cmp.Or(r.pause, retryFirst), pings: map[string]*pingAnswer{}}
	if r.CacheDir != "" {
		c.cache = newCache(r.CacheDir)
	}
	return c
}

// close drops the connections.
func (c *connector) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base != nil {
		c.base.CloseIdleConnections()
	}
}

func (c *connector) inner() http.RoundTripper {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.transport != nil {
		return c.transport
	}
	if c.base == nil {
		d := &net.Dialer{Timeout: dialBound, KeepAlive: 30 * time.Second}
		c.base = &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: d.DialContext, TLSHandshakeTimeout: dialBound,
			ResponseHeaderTimeout: answerBound, ExpectContinueTimeout: time.Second, IdleConnTimeout: 30 * time.Second,
			ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 8}
	}
	return c.base
}

// plainError refuses plain HTTP.
type plainError struct{ host string }

func (e *plainError) Error() string { return e.host + " would be spoken to in plain HTTP" }

// RoundTrip is below everything that is sent. It refuses plain HTTP where it is
// not allowed: the library allows it by itself for private addresses.
func (c *connector) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && !c.plain(req.URL.Host) {
		return nil, &plainError{req.URL.Host}
	}
	send := c.inner().RoundTrip
	if req.Method == http.MethodGet && req.URL.Path == pingPath {
		send = c.ping
	}
	resp, err := send(req)
	if err == nil {
		c.noteRetryAfter(resp)
	}
	return resp, err
}

func (c *connector) noteRetryAfter(resp *http.Response) {
	text := resp.Header.Get("Retry-After")
	if text == "" {
		return
	}
	wait := time.Duration(0)
	if n, err := strconv.Atoi(text); err == nil {
		wait = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = time.Until(at)
	}
	c.mu.Lock()
	c.after = min(max(wait, 0), retryAfterMost)
	c.mu.Unlock()
}

func (c *connector) takeRetryAfter() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	wait := c.after
	c.after = 0
	return wait
}

// session speaks with one repository with one source of credentials.
type session struct {
	c      *connector
	repo   name.Repository
	rt     http.RoundTripper
	client *http.Client
	// source says where the credentials came from.
	source string
}

// open authenticates to a repository. Sources of credentials are tried in turn, but
// those in tried, until probe does not answer 401 or 403. also are repositories of
// the same registry that blobs are mounted from.
func (c *connector) open(ctx context.Context, repo name.Repository, push bool, tried []string, probe func(context.Context, *session) error, also ...name.Repository) (*session, error) {
	action := transport.PullScope
	if push {
		action = transport.PushScope
	}
	scopes := []string{repo.Scope(action)}
	for _, r := range also {
		scopes = append(scopes, r.Scope(transport.PullScope))
	}
	if c.answered(repo.RegistryStr()) == nil {
		// Which sources come first depends on the answer. Who does not answer is
		// asked again below, with retries.
		_, _ = transport.Ping(ctx, repo.Registry, c)
	}
	refused := &refusedError{repo: repo, push: push}
	for _, src := range c.sources(repo, push) {
		if slices.Contains(tried, src.name) {
			continue
		}
		auth, err := src.get(ctx)
		if err != nil {
			refused.add(src.name, err)
			continue
		}
		if auth == nil {
			continue
		}
		s := &session{c: c, repo: repo, source: src.name}
		err = c.retry(ctx, func() error { return s.start(ctx, auth, scopes, probe) })
		if err == nil {
			return s, nil
		}
		if !unauthorized(err) && !noRepository(err) {
			return nil, &registryError{repo: repo, push: push, source: src.name, err: err}
		}
		refused.add(src.name, err)
	}
	return nil, refused
}

// start authenticates and asks the first question. Where that fails with what was
// remembered of the registry, it is asked anew, once.
func (s *session) start(ctx context.Context, auth authn.Authenticator, scopes []string, probe func(context.Context, *session) error) error {
	host := s.repo.RegistryStr()
	for {
		used := s.c.answered(host)
		rt, err := transport.NewWithContext(ctx, s.repo.Registry, auth, s.c, scopes)
		if err == nil {
			s.rt, s.client = rt, &http.Client{Transport: rt}
			err = probe(ctx, s)
		}
		busy := statusOf(err) != 0 && passes(err)
		if err == nil || absent(err) || busy || ctx.Err() != nil || !s.c.forget(host, used) {
			return err
		}
	}
}

// url is an address below the repository.
func (s *session) url(path string) string {
	return fmt.Sprintf("%s://%s/v2/%s/%s", s.repo.Scheme(), s.repo.RegistryStr(), s.repo.RepositoryStr(), path)
}

// do sends a request and answers with an error for all but the codes. The body is
// the caller's to close when there is no error.
func (s *session) do(req *http.Request, codes ...int) (*http.Response, error) {
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	if err := transport.CheckError(resp, codes...); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}

func (s *session) request(ctx context.Context, method, url string, body io.Reader) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, method, url, body)
}

// drain lets the connection be used again.
func drain(resp *http.Response) {
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	resp.Body.Close()
}

// retry repeats fn while it fails in a way that passes.
func (c *connector) retry(ctx context.Context, fn func() error) error {
	return c.retryOn(ctx, fn, func() bool { return false })
}

// retryOn is retry for what comes nearer to its end although it fails: after a step
// further the tries are counted anew.
func (c *connector) retryOn(ctx context.Context, fn func() error, further func() bool) error {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = c.first, retryMost
	for try := 1; ; try++ {
		err := fn()
		if err == nil || ctx.Err() != nil || !passes(err) {
			return err
		}
		if further() {
			try = 0
			b.Reset()
		}
		if try == retryTries {
			return err
		}
		if err := pause(ctx, max(b.NextBackOff(), c.takeRetryAfter())); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

// passes tells whether the same request may succeed later.
func passes(err error) bool {
	var plain *plainError
	var dns *net.DNSError
	var answer *transport.Error
	var netErr net.Error
	switch {
	case errors.As(err, &plain):
		return false
	case errors.As(err, &answer):
		return answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusRequestTimeout || answer.StatusCode >= 500 && answer.StatusCode != http.StatusNotImplemented
	case errors.As(err, &dns):
		return dns.IsTemporary || dns.IsTimeout
	case errors.Is(err, syscall.ECONNREFUSED):
		return false // nobody is there: waiting a minute for that helps nobody
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, errStalled),
		errors.Is(err, net.ErrClosed): // net/http closed it under the writer, for the other end had gone
		return true
	case errors.As(err, &netErr):
		return netErr.Timeout()
	}
	// What net/http says only in words.
	text := err.Error()
	return strings.Contains(text, "server closed idle connection") || strings.Contains(text, "connection reset") || strings.Contains(text, "http2: ")
}

func statusOf(err error) int {
	var answer *transport.Error
	if errors.As(err, &answer) {
		return answer.StatusCode
	}
	return 0
}

func unauthorized(err error) bool {
	code := statusOf(err)
	return code == http.StatusUnauthorized || code == http.StatusForbidden
}

func absent(err error) bool { return statusOf(err) == http.StatusNotFound }

// noRepository: there is a registry, and it does not know the repository. The
// operator's plugin may make it.
func noRepository(err error) bool {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return false
	}
	for _, d := range answer.Errors {
		if d.Code == transport.NameUnknownErrorCode {
			return true
		}
	}
	return false
}

var errStalled = errors.New("no byte moved for a while")

// stallGuard ends a context when nothing moves. moved is called with each piece.
func stallGuard(ctx context.Context) (_ context.Context, moved func(), stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := time.AfterFunc(stallBound, func() { cancel(errStalled) })
	return ctx, func() { t.Reset(stallBound) }, func() { t.Stop(); cancel(nil) }
}
