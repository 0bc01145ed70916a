package source

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// settled is how long a file must have been untouched before its hash is
	// remembered: a second write within one tick of the file system's clock
	// leaves the stat tuple as it is. Two seconds is the coarsest clock (FAT).
	settled = 2 * time.Second
	// hashesLimit bounds what is read back, at about 200 bytes an entry.
	hashesLimit = 200 * MaxEntries
	hashesHead  = "stephost hashes 1"
)

// hashes remembers what the files of one set of roots contained, by stat tuple.
// It is only a cache: a file of it that is missing, torn or from another
// version counts as empty.
type hashes struct {
	byPath map[string]hashed
	dirty  bool
}

type hashed struct {
	stat statTuple
	sum  [32]byte
}

func (h *hashes) lookup(e *Entry) ([32]byte, bool) {
	known, ok := h.byPath[e.origin]
	if !ok || known.stat != e.stat {
		h.dirty = true
		return [32]byte{}, false
	}
	return known.sum, true
}

// hashesFile is one file for each set of top directories, so that each project
// has its own and none grows without bound.
func (s *Store) hashesFile(t *Tree) string {
	tops := map[string]bool{}
	for i := range t.Entries {
		if e := &t.Entries[i]; !strings.Contains(e.Path, "/") {
			tops[filepath.Dir(e.origin)] = true
		}
	}
	h := sha256.New()
	for _, dir := range slices.Sorted(maps.Keys(tops)) {
		fmt.Fprintf(h, "%q\n", dir)
	}
	return filepath.Join(s.dir, "hashes", hex.EncodeToString(h.Sum(nil)[:16]))
}

func (s *Store) loadHashes(t *Tree) *hashes {
	h := &hashes{byPath: map[string]hashed{}}
	name := s.hashesFile(t)
	if fi, err := os.Stat(name); err != nil || fi.Size() > hashesLimit {
		return h
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return h
	}
	body, ok := checked(data)
	if !ok {
		return h
	}
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if path, known, ok := parseHashed(lines.Text()); ok {
			h.byPath[path] = known
		}
	}
	return h
}

// checked cuts the head and the checksum off.
func checked(data []byte) ([]byte, bool) {
	head, rest, ok := bytes.Cut(data, []byte("\n"))
	if !ok {
		return nil, false
	}
	body := rest
	want, err := strconv.ParseUint(strings.TrimPrefix(string(head), hashesHead+" "), 16, 32)
	return body, err == nil && strings.HasPrefix(string(head), hashesHead) && uint32(want) == crc32.ChecksumIEEE(body)
}

func parseHashed(line string) (string, hashed, bool) {
	var h hashed
	fields := strings.SplitN(line, " ", 7)
	if len(fields) != 7 {
		return "", h, false
	}
	sum, err := hex.DecodeString(fields[0])
	if err != nil || len(sum) != len(h.sum) {
		return "", h, false
	}
	copy(h.sum[:], sum)
	for i, to := range []*uint64{&h.stat.Dev, &h.stat.Ino} {
		if *to, err = strconv.ParseUint(fields[1+i], 10, 64); err != nil {
			return "", h, false
		}
	}
	for i, to := range []*int64{&h.stat.Size, &h.stat.Mtime, &h.stat.Ctime} {
		if *to, err = strconv.ParseInt(fields[3+i], 10, 64); err != nil {
			return "", h, false
		}
	}
	path, err := strconv.Unquote(fields[6])
	return path, h, err == nil
}

// saveHashes replaces the file. A failure costs a hash next time, no more.
func (s *Store) saveHashes(t *Tree, known *hashes) {
	if !known.dirty && len(known.byPath) == t.Files {
		return
	}
	before := time.Now().Add(-settled).UnixNano()
	var body bytes.Buffer
	kept := 0
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Kind != File || max(e.stat.Mtime, e.stat.Ctime) > before {
			continue
		}
		kept++
		fmt.Fprintf(&body, "%x %d %d %d %d %d %s\n", e.Hash, e.stat.Dev, e.stat.Ino,
			e.stat.Size, e.stat.Mtime, e.stat.Ctime, strconv.QuoteToASCII(e.origin))
	}
	if kept == 0 {
		return
	}
	name := s.hashesFile(t)
	head := fmt.Sprintf("%s %08x\n", hashesHead, crc32.ChecksumIEEE(body.Bytes()))
	replaceFile(name, append([]byte(head), body.Bytes()...))
}

// replaceFile is not synced: the checksum tells a torn file.
func replaceFile(name string, data []byte) {
	if os.MkdirAll(filepath.Dir(name), 0o700) != nil {
		return
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".new-")
	if err != nil {
		return
	}
	_, err = tmp.Write(data)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), name)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
}
