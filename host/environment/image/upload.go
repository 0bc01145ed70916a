package image

import (
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
// registry. It answers with the place to send to, "" when the blob was mounted.
func (s *session) begin(ctx context.Context, digest string, from *name.Repository) (string, error) {
	address := s.url("blobs/uploads/")
	if from != nil {
		address += "?" + url.Values{"mount": {digest}, "from": {from.RepositoryStr()}}.Encode()
	}
	req, err := s.request(ctx, http.MethodPost, address, nil)
	if err != nil {
		return "", err
	}
	resp, err := s.do(req, http.StatusCreated, http.StatusAccepted)
	if err != nil {
		return "", err
	}
	defer drain(resp)
	if resp.StatusCode == http.StatusCreated {
		return "", nil
	}
	return location(resp, req)
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

// upload sends a blob. A connection that breaks off is taken up where the registry
// says that it stands, where it can say so; else the blob is begun again.
func (s *session) upload(ctx context.Context, digest string, size int64, from *name.Repository, open blobSource, moved func(int)) (mounted bool, err error) {
	var place string
	var at int64
	err = s.c.retry(ctx, func() error {
		if place != "" {
			if at, place = s.standing(ctx, place); at > size {
				place = ""
			}
		}
		if place == "" {
			at = 0
			if place, err = s.begin(ctx, digest, from); err != nil {
				return err
			}
			if place == "" {
				mounted = true
				return nil
			}
		}
		if place, err = s.send(ctx, place, at, size, open, moved); err != nil {
			return err
		}
		return s.commit(ctx, place, digest)
	})
	return mounted, err
}

// standing asks how much of an upload has arrived; a place that answers nothing is
// given up.
func (s *session) standing(ctx context.Context, place string) (int64, string) {
	req, err := s.request(ctx, http.MethodGet, place, nil)
	if err != nil {
		return 0, ""
	}
	resp, err := s.do(req, http.StatusNoContent)
	if err != nil {
		return 0, ""
	}
	defer drain(resp)
	// "0-0" is one byte or none: nobody's blob is that small.
	_, last, ok := strings.Cut(resp.Header.Get("Range"), "-")
	n, err := strconv.ParseInt(last, 10, 64)
	if !ok || err != nil || n < 0 {
		return 0, ""
	}
	if next, err := location(resp, req); err == nil {
		place = next
	}
	if n == 0 {
		return 0, place
	}
	return n + 1, place
}

// send sends the rest of a blob in one request, as docker does: some registries
// take no second chunk. Only what goes on after a break says from where.
func (s *session) send(ctx context.Context, place string, at, size int64, open blobSource, moved func(int)) (string, error) {
	if at == size {
		return place, nil
	}
	body, err := open(at)
	if err != nil {
		return place, err
	}
	defer body.Close()
	ctx, touch, stop := stallGuard(ctx)
	defer stop()
	counted := &progressReader{r: body, moved: func(n int) {
		touch()
		if moved != nil {
			moved(n)
		}
	}}
	req, err := s.request(ctx, http.MethodPatch, place, io.NopCloser(counted))
	if err != nil {
		return place, err
	}
	req.ContentLength = size - at
	req.Header.Set("Content-Type", "application/octet-stream")
	if at > 0 {
		req.Header.Set("Content-Range", fmt.Sprintf("%d-%d", at, size-1))
	}
	resp, err := s.do(req, http.StatusAccepted, http.StatusNoContent, http.StatusCreated)
	if err != nil {
		if counted.err != nil {
			return place, counted.err // reading failed, not the network
		}
		if code := statusOf(err); code == http.StatusRequestedRangeNotSatisfiable || code == http.StatusNotFound {
			// The upload is gone or stands elsewhere: begin it again.
			return "", fmt.Errorf("the registry lost the upload (%d): %w", code, io.ErrUnexpectedEOF)
		}
		return place, err
	}
	defer drain(resp)
	return location(resp, req)
}

func (s *session) commit(ctx context.Context, place, digest string) error {
	u, err := url.Parse(place)
	if err != nil {
		return err
	}
	q := u.Query()
	q.Set("digest", digest)
	u.RawQuery = q.Encode()
	req, err := s.request(ctx, http.MethodPut, u.String(), nil)
	if err != nil {
		return err
	}
	resp, err := s.do(req, http.StatusCreated, http.StatusNoContent, http.StatusAccepted)
	if err != nil {
		var answer *transport.Error
		if errors.As(err, &answer) && len(answer.Errors) > 0 && answer.Errors[0].Code == transport.DigestInvalidErrorCode {
			return fmt.Errorf("%w: %s", errDigest, digest)
		}
		return err
	}
	drain(resp)
	return nil
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
