package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/stephost/stephost/host/problem"
)

const (
	// maxFile bounds a single file: no plugin is larger, a mistaken path
	// (a disk image) is.
	maxFile = 1 << 30
	// maxTree and maxTreeFiles bound a directory: a CUDA-sized virtual
	// environment fits, a home directory does not.
	maxTree      = 2 << 30
	maxTreeFiles = 20_000
	// copyBuffer is the unit between two looks at the context.
	copyBuffer = 256 << 10
)

// copyHash copies src to dst (nil: hashes alone) and returns hash and size.
// More than limit bytes are an error: the file may grow while it is read.
func copyHash(ctx context.Context, dst io.Writer, src io.Reader, limit int64) (string, int64, error) {
	h := sha256.New()
	var w io.Writer = h
	if dst != nil {
		w = io.MultiWriter(h, dst)
	}
	buf := make([]byte, copyBuffer)
	var size int64
	for {
		if err := ctx.Err(); err != nil {
			return "", size, err
		}
		n, err := src.Read(buf)
		if size += int64(n); size > limit {
			return "", size, tooLarge(limit)
		}
		if _, werr := w.Write(buf[:n]); werr != nil {
			return "", size, werr
		}
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), size, nil
		}
		if err != nil {
			return "", size, err
		}
	}
}

func tooLarge(limit int64) error {
	return fmt.Errorf("larger than %d MiB, the limit", limit>>20)
}

// hashFile hashes an open file from its beginning.
func hashFile(ctx context.Context, f *os.File) (string, int64, error) {
	return copyHash(ctx, nil, io.NewSectionReader(f, 0, maxFile+1), maxFile)
}

// hashPath hashes a named regular file.
func hashPath(ctx context.Context, path string) (sum string, stat StatTuple, err error) {
	f, err := openNoWait(path)
	if err != nil {
		return "", stat, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", stat, err
	}
	if !info.Mode().IsRegular() {
		return "", stat, fmt.Errorf("%s is not a regular file", path)
	}
	sum, _, err = hashFile(ctx, f)
	return sum, statOf(info), err
}

// storeFile copies src to dst, a new file of the given mode, and returns its
// hash. It refuses a source that changed while it was read.
func storeFile(ctx context.Context, dst string, src *os.File, perm os.FileMode, limit int64) (sum string, size int64, err error) {
	before, err := src.Stat()
	if err != nil {
		return "", 0, err
	}
	err = whileNoFork(func() error {
		out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		sum, size, err = copyHash(ctx, out, io.NewSectionReader(src, 0, limit+1), limit)
		if err == nil {
			err = out.Chmod(perm)
		}
		return errors.Join(err, out.Close())
	})
	if err != nil {
		return "", 0, err
	}
	after, err := src.Stat()
	if err != nil {
		return "", 0, err
	}
	if statOf(before) != statOf(after) || size != after.Size() {
		return "", 0, &problem.Error{Summary: src.Name() + " changed while it was being registered",
			Next: "wait until it is complete, then register it again"}
	}
	return sum, size, syncFile(dst)
}
