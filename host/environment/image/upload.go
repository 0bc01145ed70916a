package image

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// has says whether the repository holds a blob.
func (s *session) has(ctx context.Context, digest string) (bool, error) {
	req, err := s.request(ctx, http.MethodHead, s.url("blobs/"+digest), nil)
	if err != nil {
		return false, err
	}
	resp, err := s.do(req, http.StatusOK)
	if absent(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	drain(resp)
	return true, nil
}

// begin starts an upload, or has the blob mounted from another repository of the
// registry. It answers with the place to send to, "" when the blob was mounted, and
// with the smallest chunk that the registry takes.
func (s *session) begin(ctx context.Context, digest string, from *name.Repository) (place string, least int64, err error) {
	address := s.url("blobs/uploads/")
	if from != nil {
		address += "?" + url.Values{"mount": {digest}, "from": {from.RepositoryStr()}}.Encode()
	}
	req, err := s.request(ctx, http.MethodPost, address, nil)
	if err != nil {
		return "", 0, err
	}
	resp, err := s.do(req, http.StatusCreated, http.StatusAccepted)
	if err != nil {
		return "", 0, err
	}
	defer drain(resp)
	if resp.StatusCode == http.StatusCreated {
		return "", 0, nil
	}
	// https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pushing-a-blob-in-chunks
	least, _ = strconv.ParseInt(resp.Header.Get("OCI-Chunk-Min-Length"), 10, 64)
	place, err = location(resp, req)
	return place, least, err
}

// location is where an upload goes on: each answer may name another place.
func location(resp *http.Response, req *http.Request) (string, error) {
	text := resp.Header.Get("Location")
	if text == "" {
		return "", errors.New("the registry named no place for the upload")
	}
	u, err := req.URL.Parse(text)
	if err != nil {
		return "", fmt.Errorf("the registry named a place for the upload that is no address: %w", err)
	}
	return u.String(), nil
}

// blobSource opens a blob at an offset; it may be opened again.
type blobSource func(offset int64) (io.ReadCloser, error)

// errDigest: the registry got other bytes than the digest says.
var errDigest = errors.New("the blob is not what its digest says")

// chunkSize is what is sent in one request. What a broken connection loses is less
// than that, on a registry that forgets what it has of a request; and a proxy in
// between may not take a request of gigabytes. Amazon's takes no smaller part than
// 5 MiB: https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
const chunkSize = 16 << 20

// transfer is one blob on its way.
type transfer struct {
	s      *session
	digest string
	size   int64
	open   blobSource
	moved  func(int)

	place string // "" = not begun
	at    int64  // what has arrived
	far   int64  // the most that had ever arrived when something failed
	chunk int64
	lost  int // how often the registry did not know where it stands
}

// upload sends a blob. A connection that breaks off is taken up where the registry
// says that it stands, where it can say so; else the blob is begun again. How often it
// breaks is no reason to give up, as long as each time more has arrived.
func (s *session) upload(ctx context.Context, digest string, size int64, from *name.Repository, open blobSource, moved func(int)) (mounted bool, err error) {
	t := &transfer{s: s, digest: digest, size: size, open: open, moved: moved}
	err = s.c.retryOn(ctx, func() error {
		if t.place != "" {
			if err := t.resume(ctx); err != nil {
				return err
			}
		}
		if t.place == "" {
			t.at = 0
			place, least, err := s.begin(ctx, digest, from)
			if err != nil {
				return err
			}
			if place == "" {
				mounted = true
				return nil
			}
			t.place, t.chunk = place, max(cmp.Or(s.c.r.chunk, chunkSize), least)
		}
		return t.send(ctx)
	}, t.further)
	return mounted, err
}

// further says whether more has arrived than at any failure before.
func (t *transfer) further() bool {
	if t.at <= t.far {
		return false
	}
	t.far = t.at
	return true
}

// send sends what is missing and ends the upload. What fits into one chunk goes
// with the request that ends it.
func (t *transfer) send(ctx context.Context) error {
	for t.size-t.at > t.chunk || t.at > 0 && t.at < t.size {
		n := min(t.chunk, t.size-t.at)
		if t.s.c.whole(t.s.repo.RegistryStr()) {
			n = t.size - t.at
		}
		if err := t.patch(ctx, n); err != nil {
			return err
		}
	}
	return t.commit(ctx)
}

// resume asks how much of the upload has arrived. A place that answers nothing is given
// up, and so is the upload: CNCF's registry before version 3 forgets one that broke off
// within a request (https://github.com/distribution/distribution/pull/3755). Who does not
// answer at all, for the line is still down, is asked again.
func (t *transfer) resume(ctx context.Context) error {
	place := t.place
	t.place = ""
	req, err := t.s.request(ctx, http.MethodGet, place, nil)
	if err != nil {
		return err
	}
	resp, err := t.s.do(req, http.StatusNoContent)
	if err != nil {
		if code := statusOf(err); passes(err) && (code == 0 || code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable) {
			t.place = place
			return err
		}
		return nil
	}
	defer drain(resp)
	n, ok := arrived(resp)
	if !ok || n > t.size {
		return nil
	}
	t.at, t.place = n, place
	if next, err := location(resp, req); err == nil {
		t.place = next
	}
	return nil
}

// arrived is how much of an upload a registry says that it has.
func arrived(resp *http.Response) (int64, bool) {
	_, last, ok := strings.Cut(resp.Header.Get("Range"), "-")
	n, err := strconv.ParseInt(last, 10, 64)
	switch {
	case !ok || err != nil || n < 0:
		return 0, false
	case n == 0:
		return 0, true // "0-0" is one byte or none: nobody's blob is that small
	}
	return n + 1, true
}

// patch sends the next n bytes. A registry that takes no chunks gets the blob in one
// request from then on, as docker sends it.
func (t *transfer) patch(ctx context.Context, n int64) error {
	part := n < t.size
	resp, req, err := t.request(ctx, http.MethodPatch, t.place, n, func(h http.Header) {
		if part {
			h.Set("Content-Range", fmt.Sprintf("%d-%d", t.at, t.at+n-1))
		}
	}, http.StatusAccepted, http.StatusNoContent, http.StatusCreated)
	code := statusOf(err)
	switch {
	case code == http.StatusRequestedRangeNotSatisfiable && t.at > 0, code == http.StatusNotFound:
		// The upload is gone or stands elsewhere: what of a broken request was still on
		// its way may have come in after the registry was asked. Ask it again, once. Some
		// take no second chunk, and say it like this.
		if t.lost++; part && t.lost > 1 {
			t.s.c.setWhole(t.s.repo.RegistryStr())
		}
		if code == http.StatusNotFound || t.lost > 1 {
			t.place = ""
		}
		return fmt.Errorf("the registry lost the upload (%d): %w", code, io.ErrUnexpectedEOF)
	case part && refusesChunks(code):
		t.s.c.setWhole(t.s.repo.RegistryStr())
		t.place = ""
		return fmt.Errorf("the registry takes no chunks (%d): %w", code, io.ErrUnexpectedEOF)
	case err != nil:
		return err
	}
	defer drain(resp)
	if t.place, err = location(resp, req); err != nil {
		return err
	}
	t.at += n
	// It may have taken less than it was sent.
	if got, ok := arrived(resp); ok && got < t.at {
		if got <= t.at-n {
			t.place = ""
			return fmt.Errorf("the registry keeps nothing of what it was sent: %w", io.ErrUnexpectedEOF)
		}
		t.at = got
	}
	return nil
}

// refusesChunks tells an answer to a chunk that a whole blob would not get.
func refusesChunks(code int) bool {
	switch code {
	case http.StatusBadRequest, http.StatusMethodNotAllowed, http.StatusLengthRequired, http.StatusRequestedRangeNotSatisfiable,
		http.StatusUnsupportedMediaType, http.StatusNotImplemented:
		return true
	}
	return false
}

// request sends n bytes of the blob from where it stands.
func (t *transfer) request(ctx context.Context, method, address string, n int64, header func(http.Header), codes ...int) (*http.Response, *http.Request, error) {
	var body io.Reader
	var counted *progressReader
	if n > 0 {
		f, err := t.open(t.at)
		if err != nil {
			return nil, nil, err
		}
		defer f.Close()
		guarded, touch, stop := stallGuard(ctx)
		defer stop()
		ctx = guarded
		counted = &progressReader{r: io.LimitReader(f, n), moved: func(n int) {
			touch()
			if t.moved != nil {
				t.moved(n)
			}
		}}
		body = io.NopCloser(counted)
	}
	req, err := t.s.request(ctx, method, address, body)
	if err != nil {
		return nil, nil, err
	}
	if n > 0 {
		req.ContentLength = n
		req.Header.Set("Content-Type", "application/octet-stream")
		header(req.Header)
	}
	resp, err := t.s.do(req, codes...)
	if err != nil {
		if counted != nil && counted.err != nil {
			err = counted.err // reading failed, not the network
		}
		return nil, req, err
	}
	// The context of the guard ends with this call: what is left of the body must
	// not be read after it.
	if n > 0 {
		drain(resp)
		resp.Body = http.NoBody
	}
	return resp, req, nil
}

// commit ends the upload, with the last bytes where the blob was not begun yet.
func (t *transfer) commit(ctx context.Context) error {
	u, err := url.Parse(t.place)
	if err != nil {
		return err
	}
	q := u.Query()
	q.Set("digest", t.digest)
	u.RawQuery = q.Encode()
	resp, _, err := t.request(ctx, http.MethodPut, u.String(), t.size-t.at, func(http.Header) {}, http.StatusCreated, http.StatusNoContent, http.StatusAccepted)
	if err == nil {
		drain(resp)
		return nil
	}
	var answer *transport.Error
	if errors.As(err, &answer) && len(answer.Errors) > 0 && answer.Errors[0].Code == transport.DigestInvalidErrorCode {
		return fmt.Errorf("%w: %s", errDigest, t.digest)
	}
	if code := statusOf(err); code == http.StatusRequestedRangeNotSatisfiable || code == http.StatusNotFound {
		t.place = ""
		return fmt.Errorf("the registry lost the upload (%d): %w", code, io.ErrUnexpectedEOF)
	}
	return err
}

// progressReader tells what was read, and keeps its own failure apart from the
// network's.
type progressReader struct {
	r     io.Reader
	moved func(int)
	err   error
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if n > 0 {
		p.moved(n)
	}
	if err != nil && err != io.EOF {
		p.err = err
	}
	return n, err
}
