package fetch

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/stephost/stephost/internal/disk"
)

const (
	// partPrefix begins the names of unfinished files, in the directory itself.
	partPrefix = ".stephost-part-"
	// copyBuffer is a step of the copy, and of the progress.
	copyBuffer = 256 << 10
	// againFirst and againMost bound the pause before a read goes on.
	againFirst = 200 * time.Millisecond
	againMost  = 15 * time.Second
)

// ExistsError is a file that stands there and is another one, as far as can be
// told.
type ExistsError struct{ Path string }

func (e *ExistsError) Error() string { return "there is another file of that name" }

// one brings one file.
func (f *fetch) one(ctx context.Context, it item) error {
	if it.local != "" {
		return f.copyLocal(ctx, it)
	}
	t := &transfer{f: f, it: it}
	defer t.close()
	err := f.again(ctx, it, func() (bool, error) { return t.read(ctx) })
	switch {
	case errors.Is(err, errKept):
		f.done(it, t.file.Bytes, Kept)
		return nil
	case err != nil:
		return err
	}
	if err := t.finish(); err != nil {
		return err
	}
	f.done(it, t.have, Read)
	return nil
}

// again calls try until it succeeds or its error is final. moved says that bytes
// came: then patience begins anew.
func (f *fetch) again(ctx context.Context, it item, try func() (moved bool, err error)) error {
	pace := backoff.NewExponentialBackOff()
	pace.InitialInterval, pace.MaxInterval = againFirst, againMost
	since := time.Now()
	for {
		moved, err := try()
		var broken *BrokenError
		if !errors.As(err, &broken) || ctx.Err() != nil {
			return err
		}
		if moved {
			since = time.Now()
			pace.Reset()
		}
		wait := max(pace.NextBackOff(), broken.After)
		if time.Since(since)+wait > f.o.Patience {
			return fmt.Errorf("no byte came for %s: %w", f.o.Patience, broken.Err)
		}
		f.trouble(it, broken.Err)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// errKept says that the file is there already.
var errKept = errors.New("kept")

// transfer is one file on its way.
type transfer struct {
	f    *fetch
	it   item
	file File
	part string   // its name until all of it is there
	out  *os.File // of part
	have int64    // bytes in out
	// checked: what stands in its place was looked at.
	checked bool
}

func (t *transfer) close() {
	if t.out != nil {
		_ = t.out.Close() // an unfinished file: what counts is what is in it
	}
}

// read reads from where it stands to the end.
func (t *transfer) read(ctx context.Context) (moved bool, err error) {
	file, body, err := t.f.o.Source.Open(ctx, t.it.location, t.it.name, t.have, t.file.Version)
	if err != nil {
		return false, err
	}
	defer func() { _ = body.Close() }() // everything that matters was read
	if file.Offset != 0 && file.Offset != t.have {
		return false, fmt.Errorf("the plugin answers a read from byte %d with bytes from %d", t.have, file.Offset)
	}
	if !t.checked {
		if err := t.f.check(t.it, file); err != nil {
			t.file = file
			return false, err
		}
		t.checked = true
	}
	if t.out == nil || t.file.Version != file.Version || file.Offset == 0 && t.have > 0 {
		resumed, err := t.begin(file)
		if err != nil {
			return false, err
		}
		if resumed {
			// An earlier call has left a part of this version: go on behind it.
			_ = body.Close()
			return t.read(ctx)
		}
	}
	t.file = file
	return t.write(ctx, body)
}

// begin opens the part of a version, and tells whether an earlier call has left
// some of it, behind which to go on. It never cuts a part: another call may be
// writing the same bytes to it.
func (t *transfer) begin(file File) (resumed bool, err error) {
	again := t.out != nil && t.file.Version == file.Version
	t.f.moved(-t.have)
	t.have, t.file = 0, file
	if again && file.Version != "" {
		return false, nil // the same bytes once more
	}
	t.close()
	t.part = t.f.part(t.it, file.Version)
	if t.out, err = t.f.root.OpenFile(t.part, os.O_RDWR|os.O_CREATE, 0o666); err != nil {
		return false, err
	}
	info, err := t.out.Stat()
	if err != nil {
		return false, err
	}
	if n := info.Size(); n > 0 && file.Offset == 0 && (file.Bytes < 0 || n < file.Bytes) {
		t.have = n
		t.f.moved(n)
		return true, nil
	}
	return false, nil
}

// write appends what body brings.
func (t *transfer) write(ctx context.Context, body io.Reader) (moved bool, err error) {
	buffer := make([]byte, copyBuffer)
	for {
		n, err := body.Read(buffer)
		if n > 0 {
			moved = true
			// At its place, not appended: two calls that fetch the same file write the
			// same bytes.
			wrote, werr := t.out.WriteAt(buffer[:n], t.have)
			t.have += int64(wrote)
			t.f.moved(int64(wrote))
			if werr != nil {
				return moved, &StopError{Err: werr}
			}
		}
		switch {
		case errors.Is(err, io.EOF) && t.file.Bytes >= 0 && t.have != t.file.Bytes:
			return moved, fmt.Errorf("the plugin sent %d bytes of a file of %d", t.have, t.file.Bytes)
		case errors.Is(err, io.EOF):
			return moved, nil
		case err != nil:
			return moved, err
		case ctx.Err() != nil:
			return moved, ctx.Err()
		}
	}
}

// finish gives the file its time and its name.
func (t *transfer) finish() error {
	err := errors.Join(t.out.Truncate(t.have), t.out.Sync(), t.out.Close())
	t.out = nil
	if err != nil {
		return &StopError{Err: err}
	}
	return t.f.settle(t.it, t.part, File{Bytes: t.have, Modified: t.file.Modified})
}

// settle moves a whole file to its place.
func (f *fetch) settle(it item, part string, file File) error {
	to := filepath.FromSlash(it.path)
	if dir := path.Dir(it.path); dir != "." {
		if err := f.root.MkdirAll(filepath.FromSlash(dir), 0o755); err != nil {
			return err
		}
	}
	if !file.Modified.IsZero() {
		if err := f.root.Chtimes(part, file.Modified, file.Modified); err != nil {
			return err
		}
	}
	// Once more: it may have come meanwhile, also by another call of this kind.
	switch err := f.check(it, file); {
	case errors.Is(err, errKept):
		_ = f.root.Remove(part) // sweep looks for it, too
		return nil
	case err != nil:
		return err
	}
	return f.root.Rename(part, to)
}

// check looks at what stands in the place of a file.
func (f *fetch) check(it item, file File) error {
	info, err := f.root.Lstat(filepath.FromSlash(it.path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("there is a directory of that name")
	case info.Mode().IsRegular() && info.Size() == file.Bytes && !file.Modified.IsZero() && info.ModTime().Unix() == file.Modified.Unix():
		return errKept // by seconds: not every file system and store keeps more
	case f.o.Overwrite:
		return nil
	}
	return &ExistsError{it.path}
}

// part is the name of an unfinished file. Without a version nobody goes on with
// it, so that each has a name of its own.
func (f *fetch) part(it item, version string) string {
	if version == "" {
		return f.parts() + rand.Text()
	}
	return f.parts() + digest(it.location, it.name, version)[:24]
}

// parts begins the names of all unfinished files of this run.
func (f *fetch) parts() string { return partPrefix + digest(f.o.Run)[:12] + "-" }

func digest(words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return hex.EncodeToString(sum[:])
}

// sweep removes what earlier calls have left of versions that are no more. Called
// when every file is there.
func (f *fetch) sweep() {
	list, err := fs.ReadDir(f.root.FS(), ".")
	if err != nil {
		return
	}
	for _, e := range list {
		if strings.HasPrefix(e.Name(), f.parts()) {
			_ = f.root.Remove(e.Name()) // left for the next call
		}
	}
}

// copyLocal copies a file of this machine.
func (f *fetch) copyLocal(ctx context.Context, it item) error {
	in, err := os.Open(it.local)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	switch err := f.check(it, File{Bytes: info.Size(), Modified: info.ModTime()}); {
	case errors.Is(err, errKept):
		f.done(it, info.Size(), Kept)
		return nil
	case err != nil:
		return err
	}
	t := &transfer{f: f, it: it, file: File{Bytes: -1, Modified: info.ModTime()}, part: f.part(it, "")}
	defer t.close()
	if t.out, err = f.root.OpenFile(t.part, os.O_RDWR|os.O_CREATE|os.O_TRUNC, info.Mode().Perm()|0o200); err != nil {
		return err
	}
	if _, err = t.write(ctx, in); err == nil {
		err = t.finish()
	}
	if err != nil {
		_ = f.root.Remove(t.part) // it is quickly made again
		if disk.Full(err) {
			return &StopError{Err: err}
		}
		return err
	}
	f.done(it, t.have, Copied)
	return nil
}
