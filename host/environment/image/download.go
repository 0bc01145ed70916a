package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// readSmall reads a file of the cache that is small if it is what it should be.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, manifestLimit))
}

// download is the content of a blob from a registry. It goes on where it broke
// off, and its end is an error unless the content is what the digest says.
type download struct {
	ctx    context.Context
	s      *session
	digest string
	size   int64
	moved  func(n int)

	at    int64
	tries int
	sum   hash.Hash
	body  io.ReadCloser
	guard func()
	touch func()
}

func (s *session) download(ctx context.Context, digest string, size int64, moved func(int)) *download {
	return &download{ctx: ctx, s: s, digest: digest, size: size, moved: moved, sum: sha256.New()}
}

// Read reads on, over any number of broken connections as long as each brought
// something, and over a few that brought nothing.
func (d *download) Read(p []byte) (int, error) {
	for {
		if d.at >= d.size {
			d.drop()
			if got := "sha256:" + hex.EncodeToString(d.sum.Sum(nil)); got != d.digest {
				return 0, fmt.Errorf("the registry sent other bytes for %s (%s)", d.digest, got)
			}
			return 0, io.EOF
		}
		if d.body == nil {
			if err := d.s.c.retry(d.ctx, d.open); err != nil {
				return 0, err
			}
		}
		n, err := d.body.Read(p[:min(int64(len(p)), d.size-d.at)])
		if n > 0 {
			d.sum.Write(p[:n])
			d.at += int64(n)
			d.tries = 0
			d.touch()
			if d.moved != nil {
				d.moved(n)
			}
			return n, nil
		}
		if err == nil {
			continue
		}
		d.drop()
		if d.tries++; d.tries >= retryTries || d.ctx.Err() != nil {
			return 0, errors.Join(context.Cause(d.ctx), err)
		}
	}
}

func (d *download) open() error {
	ctx, touch, stop := stallGuard(d.ctx)
	req, err := d.s.request(ctx, http.MethodGet, d.s.url("blobs/"+d.digest), nil)
	if err != nil {
		stop()
		return err
	}
	if d.at > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", d.at, d.size-1))
	}
	resp, err := d.s.do(req, http.StatusOK, http.StatusPartialContent)
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		err = errors.New("the registry cannot continue a download")
	}
	if err != nil {
		stop()
		return err
	}
	if d.at > 0 && resp.StatusCode == http.StatusOK {
		// It sends all again: skip what is known.
		if _, err := io.CopyN(io.Discard, resp.Body, d.at); err != nil {
			resp.Body.Close()
			stop()
			return err
		}
	}
	d.body, d.guard, d.touch = resp.Body, stop, touch
	return nil
}

func (d *download) drop() {
	if d.body != nil {
		d.body.Close()
		d.guard()
		d.body = nil
	}
}

// Close ends it.
func (d *download) Close() error { d.drop(); return nil }

// fetch brings a blob into the cache, going on from what an earlier build that was
// killed left of it.
func (c *cache) fetch(ctx context.Context, s *session, digest string, size int64, moved func(int)) error {
	unlock, err := c.lock(ctx, digest)
	if err != nil {
		return err
	}
	defer unlock()
	if c.hasBlob(digest, size) {
		c.used(digest)
		return nil
	}
	part := c.path("partial", hexOf(digest))
	if err := os.MkdirAll(filepath.Dir(part), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(part, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	d := s.download(ctx, digest, size, moved)
	defer d.Close()
	if d.at, err = io.Copy(d.sum, io.LimitReader(f, size)); err == nil {
		_, err = io.Copy(f, d)
	}
	if err != nil {
		f.Close()
		if d.at >= size {
			os.Remove(part) // whole, and not what it should be
		}
		return err
	}
	return c.place(f, c.blob(digest))
}

// fetched is a blob that was fetched, open. Another process may have sent it on and
// removed it in between.
func (c *cache) fetched(ctx context.Context, s *session, digest string, size int64, moved func(int)) (io.ReadCloser, error) {
	for try := 1; ; try++ {
		if err := c.fetch(ctx, s, digest, size, moved); err != nil {
			return nil, err
		}
		f, err := c.open(digest, 0)
		if err == nil || try == packTries || !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
}
