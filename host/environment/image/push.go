package image

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sync/errgroup"

	"github.com/stephost/stephost/host/environment/source"
)

func bytesReader(b []byte) io.Reader { return bytes.NewReader(b) }

// uploadsAtOnce: two connections fill a line that one does not, and more take
// from each other.
const uploadsAtOnce = 3

// tagOf makes the image findable, and keeps it from being collected as untagged.
func tagOf(digest string) string { return "stephost-" + hexOf(digest)[:32] }

// blobToPush is one layer or the config on its way.
type blobToPush struct {
	kind, digest string
	size         int64
	own          *built
	data         []byte
}

// push sends what the registry lacks: first blobs, then the manifest, so that a
// push that breaks off leaves no image with holes. With other credentials it is
// begun again, and finds what it sent already.
func push(ctx context.Context, c *connector, cache *cache, repo name.Repository, img *composed, a *ahead, say func(string, ...any)) (*Result, error) {
	s, known := a.s, a.last
	for tried := []string(nil); ; s, known = nil, (lastPush{}) {
		p := &pusher{s: s, cache: cache, img: img, say: say, res: &Result{}}
		if s == nil {
			var err error
			if p.s, err = c.open(ctx, repo, true, tried, func(ctx context.Context, s *session) (err error) {
				p.there, err = s.hasImage(ctx, repo.Digest(img.digest))
				return err
			}, c.mountsFrom(img.base.ref.Name(), repo)...); err != nil {
				return nil, err
			}
			p.asked = true
		}
		err := p.run(ctx, known)
		if err == nil {
			a.note(cache, img)
			return p.res, nil
		}
		if !unauthorized(err) && !noRepository(err) || p.uploaded() {
			return nil, &registryError{repo: repo, push: true, source: p.s.source, err: err}
		}
		tried = append(tried, p.s.source)
		if next, nerr := c.more(ctx, repo, tried); nerr != nil || !next {
			refused := &refusedError{repo: repo, push: true}
			refused.add(p.s.source, err)
			return nil, refused
		}
	}
}

// more says whether a source that was not tried has credentials.
func (c *connector) more(ctx context.Context, repo name.Repository, tried []string) (bool, error) {
	for _, src := range c.sources(repo, true) {
		if src.name == nobody || slices.Contains(tried, src.name) {
			continue
		}
		if auth, err := src.get(ctx); err != nil || auth != nil {
			return auth != nil, err
		}
	}
	return false, nil
}

// mountsTo is the base's repository when the registry can take blobs from it
// without a byte being sent.
func (b *base) mountsTo(repo name.Repository) *name.Repository {
	from := b.ref.Context()
	if from.RegistryStr() != repo.RegistryStr() || from.RepositoryStr() == repo.RepositoryStr() {
		return nil
	}
	return &from
}

// hasImage says whether the registry holds exactly this image.
func (s *session) hasImage(ctx context.Context, ref name.Digest) (bool, error) {
	_, err := remote.Head(ref, remote.WithContext(ctx), remote.WithTransport(s.rt))
	if absent(err) { // also of a repository that the first push makes
		return false, nil
	}
	return err == nil, err
}

type pusher struct {
	s     *session
	cache *cache
	img   *composed
	say   func(string, ...any)

	// there: the registry has the image; asked: that is known.
	there, asked bool
	since        time.Time // when it was asked what is missing

	mu  sync.Mutex
	res *Result
	p   *progress
}

func (p *pusher) blobs() []blobToPush {
	var list []blobToPush
	for _, l := range p.img.base.manifest.Layers {
		if l.MediaType.IsDistributable() {
			list = append(list, blobToPush{kind: Base, digest: l.Digest.String(), size: l.Size})
		}
	}
	for _, l := range p.img.layers {
		list = append(list, blobToPush{kind: l.kind, digest: l.Digest, size: l.Size, own: l})
	}
	return list
}

// forgetBase drops the base's layers: they are in the step's registry now, and may
// weigh gigabytes here.
func (img *composed) forgetBase(c *cache) {
	for _, l := range img.base.manifest.Layers {
		digest := l.Digest.String()
		// A base may be an image that was built here.
		if !slices.ContainsFunc(img.layers, func(own *built) bool { return own.Digest == digest }) {
			_ = os.Remove(c.blob(digest))
		}
	}
}

func (p *pusher) uploaded() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.res.UploadedBytes > 0 }

func (p *pusher) note(b blobToPush, state string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := Layer{Kind: b.kind, Digest: b.digest, Size: b.size, State: state, Cached: b.own == nil || b.own.cached}
	if state == Uploaded {
		p.res.UploadedBytes += b.size
	}
	p.res.Layers = append(p.res.Layers, l)
}

func (p *pusher) run(ctx context.Context, known lastPush) error {
	if known.Digest == p.img.digest {
		p.there, p.asked = true, true
	}
	missing, err := p.missing(ctx, known)
	if err != nil || p.there {
		return err
	}
	var total, travels int64
	for _, b := range missing {
		total += b.size
		if b.kind == Base && p.img.base.mountsTo(p.s.repo) == nil {
			travels += b.size
		}
	}
	if travels > 0 {
		p.say("%s of base layers travel from %s to %s, once", source.FormatBytes(travels), p.img.base.ref.Context().RegistryStr(), p.s.repo.RegistryStr())
	}
	if total > 0 {
		p.p = newProgress(p.say, "uploading to "+p.s.repo.Name(), total)
	}
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(uploadsAtOnce)
	g.Go(func() error {
		return p.send(all, blobToPush{kind: "config", digest: p.img.configDigest, size: p.img.configSize, data: p.img.config}, nil)
	})
	for _, b := range missing {
		g.Go(func() error { return p.one(all, b) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return p.s.c.retry(ctx, func() error {
		return remote.Put(p.s.repo.Tag(tagOf(p.img.digest)), p.img, remote.WithContext(ctx), remote.WithTransport(p.s.rt))
	})
}

// missing asks for the image, unless that is known, and at once for all blobs but
// those of the last push, which the registry still has.
func (p *pusher) missing(ctx context.Context, known lastPush) ([]blobToPush, error) {
	list := p.blobs()
	there := make([]bool, len(list))
	p.since = time.Now()
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(2 * uploadsAtOnce)
	if !p.asked {
		g.Go(func() error {
			return p.s.c.retry(all, func() (err error) {
				p.there, err = p.s.hasImage(all, p.s.repo.Digest(p.img.digest))
				return err
			})
		})
	}
	for i, b := range list {
		if there[i] = p.asked && p.there || slices.Contains(known.Blobs, b.digest); there[i] {
			continue
		}
		g.Go(func() error {
			return p.s.c.retry(all, func() (err error) {
				there[i], err = p.s.has(all, b.digest)
				return err
			})
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var out []blobToPush
	for i, b := range list {
		if there[i] || p.there {
			p.note(b, Present)
		} else {
			out = append(out, b)
		}
	}
	return out, nil
}

// one brings a layer into the repository. Of two processes that need it at once,
// one sends it and the other then finds it there.
func (p *pusher) one(ctx context.Context, b blobToPush) error {
	lock := keyOf("push", p.s.repo.Name(), b.digest)
	unlock, waited, err := p.cache.wait(ctx, lock, p.since)
	if err != nil {
		return err
	}
	defer unlock()
	defer p.cache.done(lock) // before the lock is given back; at worst somebody asks once more
	if waited {
		there := false
		if err := p.s.c.retry(ctx, func() (err error) { there, err = p.s.has(ctx, b.digest); return err }); err != nil {
			return err
		}
		if there {
			p.note(b, Present)
			return nil
		}
	}
	if b.kind != Base {
		return p.send(ctx, b, nil)
	}
	if from := p.img.base.mountsTo(p.s.repo); from != nil {
		return p.send(ctx, b, from)
	}
	return p.carry(ctx, b)
}

// carry brings a base layer from one registry to another.
func (p *pusher) carry(ctx context.Context, b blobToPush) error {
	s, err := p.img.base.reading(ctx)
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		if err := p.cache.fetch(ctx, s, b.digest, b.size, nil); err != nil {
			return p.img.base.failed(s, err)
		}
		// Another process may have sent the same elsewhere and removed it.
		if err := p.send(ctx, b, nil); try == packTries || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
}

func (p *pusher) send(ctx context.Context, b blobToPush, from *name.Repository) error {
	open := func(at int64) (io.ReadCloser, error) { return p.cache.open(b.digest, at) }
	if b.data != nil {
		open = func(at int64) (io.ReadCloser, error) { return io.NopCloser(bytesReader(b.data[at:])), nil }
	} else if from != nil {
		open = func(int64) (io.ReadCloser, error) { return nil, errNotMounted }
	}
	var moved func(int)
	if p.p != nil && b.data == nil {
		moved = p.p.add
	}
	mounted, err := p.s.upload(ctx, b.digest, b.size, from, open, moved)
	if errors.Is(err, errNotMounted) {
		return p.carry(ctx, b)
	}
	if errors.Is(err, errDigest) && b.own != nil {
		p.cache.forget(b.own)
	}
	if err != nil || b.data != nil {
		return err
	}
	if mounted {
		p.note(b, Mounted)
	} else {
		p.note(b, Uploaded)
	}
	return nil
}

// errNotMounted: the registry wants the bytes after all.
var errNotMounted = errors.New("the registry did not take the layer from the other repository")

// reading is a session that reads the base.
func (b *base) reading(ctx context.Context) (*session, error) {
	return b.session(ctx, func(ctx context.Context, s *session) error {
		_, err := s.has(ctx, b.manifest.Config.Digest.String())
		return err
	})
}

var _ remote.Taggable = (*composed)(nil)
