package source

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// roomMargin is what a file system needs besides the bytes of files, at most: blocks
// that are not full, directories, its journal.
const roomMargin = 64 << 20

// room refuses a tree that does not fit, before a byte of it is written. lacking are
// the files that are not known to be in the store. copyDir, if any, is where the tree
// will be copied to.
func (s *Store) room(t *Tree, lacking []*Entry, copyDir string) error {
	err := s.roomFor(t, bytesOf(lacking), copyDir)
	if err == nil || len(lacking) == 0 {
		return err
	}
	// A file that was only touched is in the store already. Reading it would tell;
	// that there is a blob of its size is reason enough not to refuse it.
	here := s.blobSizes()
	lacking = slices.DeleteFunc(lacking, func(e *Entry) bool { return here[e.Size] })
	return s.roomFor(t, bytesOf(lacking), copyDir)
}

func (s *Store) roomFor(t *Tree, blobs int64, copyDir string) error {
	copies := int64(0)
	if copyDir != "" && !sharesBlocks(existing(copyDir)) {
		copies = t.Bytes
	}
	switch {
	case copies == 0:
		return s.fits(t, s.dir, blobs, false)
	case deviceOf(s.dir) == deviceOf(copyDir):
		return s.fits(t, s.dir, blobs+copies, blobs > 0)
	}
	if err := s.fits(t, s.dir, blobs, false); err != nil {
		return err
	}
	return s.fits(t, copyDir, copies, false)
}

func (s *Store) fits(t *Tree, dir string, need int64, twice bool) error {
	if need == 0 {
		return nil
	}
	need += min(need/16, roomMargin)
	// Where nobody knows, writing finds out.
	if free, _, ok := s.free(existing(dir)); ok && need > free {
		return &NoSpaceError{Dir: dir, Need: need, Free: free, Twice: twice, Biggest: t.Biggest()}
	}
	return nil
}

func bytesOf(entries []*Entry) (n int64) {
	for _, e := range entries {
		n += e.Size
	}
	return n
}

func (s *Store) blobSizes() map[int64]bool {
	sizes := map[int64]bool{}
	_ = filepath.WalkDir(filepath.Join(s.dir, "blobs"), func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil //nolint:nilerr // what cannot be read is not there
		}
		if fi, err := d.Info(); err == nil {
			sizes[fi.Size()] = true
		}
		return nil
	})
	return sizes
}

// existing is dir, or its nearest parent that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

func deviceOf(dir string) uint64 {
	fi, err := os.Stat(existing(dir))
	if err != nil {
		return 0
	}
	return statOf(fi).Dev
}
