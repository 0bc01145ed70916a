package fetch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// store is a Source with files in memory, which breaks on request. What the
// plugin's side of it is worth is tested with real plugins, in package e2e.
type store struct {
	mu      sync.Mutex
	files   map[string][]byte // by name
	version string
	stamp   time.Time
	listed  []File
	// breakAt breaks the next reads behind so many bytes each.
	breakAt []int
	opened  []int64 // offsets
	listErr error
	openErr error
	refuse  bool // to go on in the middle
}

var old = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)

func newStore(files map[string]string) *store {
	s := &store{files: map[string][]byte{}, version: "v1", stamp: old}
	for name, text := range files {
		s.files[name] = []byte(text)
		s.listed = append(s.listed, File{Name: name, Bytes: int64(len(text)), Version: "v1", Modified: old})
	}
	return s
}

func (s *store) List(context.Context, string) ([]File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.listed, s.listErr
}

func (s *store) Open(_ context.Context, _, name string, offset int64, version string) (File, io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opened = append(s.opened, offset)
	if s.openErr != nil {
		return File{}, nil, s.openErr
	}
	data := s.files[name]
	if version != s.version || s.refuse {
		offset = 0
	}
	f := File{Name: name, Bytes: int64(len(data)), Version: s.version, Modified: s.stamp, Offset: offset}
	rest := data[offset:]
	if len(s.breakAt) > 0 {
		n := min(s.breakAt[0], len(rest))
		s.breakAt = s.breakAt[1:]
		return f, io.NopCloser(io.MultiReader(bytes.NewReader(rest[:n]), broken{})), nil
	}
	return f, io.NopCloser(bytes.NewReader(rest)), nil
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, &BrokenError{Err: errors.New("connection reset")} }

// far is the one output of a run, of several files.
func far() []Output { return []Output{{Name: ".", Location: "store://x/", Bytes: -1}} }

// tree is what stands below dir, unfinished files too.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		got[filepath.ToSlash(rel)] = string(text)
		return err
	}))
	return got
}

func TestFetch(t *testing.T) {
	s := newStore(map[string]string{"a": "aaa", "deep/er/b": "bb", "empty": ""})
	dir := filepath.Join(t.TempDir(), "new", "dir")
	var last Progress
	got, err := Fetch(t.Context(), Options{Dir: dir, Run: "R", Outputs: far(), Source: s, Progress: func(p Progress) { last = p }})
	require.NoError(t, err)
	assert.Empty(t, got.Failed)
	assert.Equal(t, map[string]string{"a": "aaa", "deep/er/b": "bb", "empty": ""}, tree(t, dir))
	assert.Equal(t, Progress{Done: 3, Files: 3, Bytes: 5, Total: 5}, last)
	info, err := os.Stat(filepath.Join(dir, "a"))
	require.NoError(t, err)
	assert.True(t, info.ModTime().Equal(old))

	// Again: all of it is there.
	got, err = Fetch(t.Context(), Options{Dir: dir, Run: "R", Outputs: far(), Source: s})
	require.NoError(t, err)
	require.Len(t, got.Files, 3)
	for _, f := range got.Files {
		assert.Equal(t, Kept, f.State)
	}
}

// A transfer that breaks goes on where it was; bytes of two versions are never
// joined.
func TestBreaks(t *testing.T) {
	text := strings.Repeat("0123456789", 100_000)
	for name, c := range map[string]struct {
		change func(s *store)
		opened []int64
		want   string
	}{
		"goes on":         {change: func(*store) {}, opened: []int64{0, 1000, 301_000}, want: text},
		"another version": {change: func(s *store) { s.version, s.files["big"] = "v2", []byte("other") }, opened: []int64{0, 1000}, want: "other"},
		"begins anew":     {change: func(s *store) { s.refuse = true }, opened: []int64{0, 1000, 300_000}, want: text},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStore(map[string]string{"big": text})
			s.breakAt = []int{1000, 300_000}
			if name == "another version" {
				s.breakAt = []int{1000}
			}
			dir := t.TempDir()
			got, err := Fetch(t.Context(), Options{Dir: dir, Run: "R", Outputs: far(), Source: s, Trouble: func(string, error) {
				s.mu.Lock()
				defer s.mu.Unlock()
				c.change(s)
			}})
			require.NoError(t, err)
			assert.Empty(t, got.Failed)
			assert.Equal(t, c.opened, s.opened)
			assert.Equal(t, map[string]string{"big": c.want}, tree(t, dir))
		})
	}
}

// A call that was ended leaves what it has, and the next one goes on behind it.
func TestGoesOnInAnotherCall(t *testing.T) {
	text := strings.Repeat("0123456789", 100_000)
	s := newStore(map[string]string{"big": text})
	s.breakAt = []int{700_000}
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Fetch(ctx, Options{Dir: dir, Run: "R", Outputs: far(), Source: s, Trouble: func(string, error) { cancel() }})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, tree(t, dir), 1)
	assert.NoFileExists(t, filepath.Join(dir, "big"))

	s.opened = nil
	got, err := Fetch(t.Context(), Options{Dir: dir, Run: "R", Outputs: far(), Source: s})
	require.NoError(t, err)
	assert.Empty(t, got.Failed)
	assert.Equal(t, []int64{0, 700_000}, s.opened)
	assert.Equal(t, map[string]string{"big": text}, tree(t, dir))
}

func TestPatienceEnds(t *testing.T) {
	s := newStore(map[string]string{"a": "aaa", "b": "bbb"})
	s.openErr = &BrokenError{Err: errors.New("no route")}
	got, err := Fetch(t.Context(), Options{Dir: t.TempDir(), Run: "R", Outputs: far(), Source: s, Patience: time.Second})
	require.NoError(t, err)
	require.Len(t, got.Failed, 2)
	assert.ErrorContains(t, got.Failed[0], "no byte came for 1s: no route")

	s.openErr = &StopError{Err: errors.New("expired")}
	got, err = Fetch(t.Context(), Options{Dir: t.TempDir(), Run: "R", Outputs: far(), Source: s})
	require.ErrorContains(t, err, "expired")
	assert.Empty(t, got.Failed, "it is the same for all")
}

// Names are a plugin's word, and links in the directory may lead anywhere.
func TestNothingOutside(t *testing.T) {
	above := t.TempDir()
	dir := filepath.Join(above, "dir")
	require.NoError(t, os.Mkdir(dir, 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(above, "outside"), 0o755))
	require.NoError(t, os.Symlink("../outside", filepath.Join(dir, "link")))
	bad := []string{"../evil", "a/../../evil", "a/../evil", "/etc/evil", "nul\x00", "link/evil", partPrefix + "x", "deep/" + partPrefix + "x"}
	files := map[string]string{"good": "x"}
	for _, name := range bad {
		files[name] = "evil"
	}
	got, err := Fetch(t.Context(), Options{Dir: dir, Run: "R", Outputs: append(far(),
		Output{Name: "../evil", Location: "store://one", Bytes: 4}, Output{Name: "/evil", Location: "store://one", Bytes: 4}), Source: newStore(files)})
	require.NoError(t, err)
	assert.Len(t, got.Failed, len(bad)+2)
	assert.Equal(t, "x", tree(t, above)["dir/good"])
	for path := range tree(t, above) {
		assert.NotContains(t, path, "evil", "a file outside")
	}
}

func TestWhatIsThere(t *testing.T) {
	for name, c := range map[string]struct {
		prepare   func(t *testing.T, dir string)
		overwrite bool
		failed    string
		want      string
	}{
		"another file":       {prepare: func(t *testing.T, dir string) { write(t, dir+"/a", "mine") }, failed: "there is another file", want: "mine"},
		"replaced":           {prepare: func(t *testing.T, dir string) { write(t, dir+"/a", "mine") }, overwrite: true, want: "aaa"},
		"same size, younger": {prepare: func(t *testing.T, dir string) { write(t, dir+"/a", "mmm") }, failed: "there is another file", want: "mmm"},
		"a directory":        {prepare: func(t *testing.T, dir string) { require.NoError(t, os.Mkdir(dir+"/a", 0o755)) }, overwrite: true, failed: "a directory of that name"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.prepare(t, dir)
			got, err := Fetch(t.Context(), Options{Dir: dir, Run: "R", Outputs: far(), Source: newStore(map[string]string{"a": "aaa", "b": "b"}), Overwrite: c.overwrite})
			require.NoError(t, err)
			if c.failed == "" {
				assert.Empty(t, got.Failed)
			} else {
				require.Len(t, got.Failed, 1)
				assert.ErrorContains(t, got.Failed[0], c.failed)
			}
			assert.Equal(t, c.want, tree(t, dir)["a"])
			assert.Equal(t, "b", tree(t, dir)["b"], "the others are fetched")
		})
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

func TestLocal(t *testing.T) {
	from, dir := t.TempDir(), t.TempDir()
	write(t, filepath.Join(from, "f"), "x")
	require.NoError(t, os.Chmod(filepath.Join(from, "f"), 0o755))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(from, "link")))
	got, err := Fetch(t.Context(), Options{Dir: dir, Run: "R", Outputs: []Output{
		{Name: "one", Location: filepath.Join(from, "f")}, {Name: "tree", Location: from}, {Name: "link", Location: filepath.Join(from, "link")},
		{Name: "gone", Location: filepath.Join(from, "gone")}, {Name: "one", Location: filepath.Join(from, "f")}, {Name: "far", Location: "s3://b/k", Bytes: -1}}})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"one": "x", "tree/f": "x"}, tree(t, dir), "links are not followed")
	assert.Len(t, got.Failed, 3)
	require.Len(t, got.Elsewhere, 1)
	assert.Equal(t, "s3://b/k", got.Elsewhere[0].Location)
	info, err := os.Stat(filepath.Join(dir, "one"))
	require.NoError(t, err)
	assert.EqualValues(t, 0o755, info.Mode().Perm(), "a program stays one")
}

// A source that says that it is whole too early, or sends more, is found out.
func TestSizeIsChecked(t *testing.T) {
	s := newStore(map[string]string{"a": "aaa"})
	lying := lyingStore{s}
	got, err := Fetch(t.Context(), Options{Dir: t.TempDir(), Run: "R", Outputs: far(), Source: lying})
	require.NoError(t, err)
	require.Len(t, got.Failed, 1)
	assert.ErrorContains(t, got.Failed[0], "sent 3 bytes of a file of 4")
}

type lyingStore struct{ *store }

func (s lyingStore) Open(ctx context.Context, location, name string, offset int64, version string) (File, io.ReadCloser, error) {
	f, body, err := s.store.Open(ctx, location, name, offset, version)
	f.Bytes++
	return f, body, err
}

// Two calls at the same time fetch the same files: both find them whole.
func TestTwoAtOnce(t *testing.T) {
	text := strings.Repeat("0123456789", 50_000)
	s := newStore(map[string]string{"a": text, "b": text})
	dir := t.TempDir()
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			_, err := Fetch(context.Background(), Options{Dir: dir, Run: "R", Outputs: far(), Source: s, Overwrite: true})
			assert.NoError(t, err)
		})
	}
	group.Wait()
	got := tree(t, dir)
	assert.Equal(t, text, got["a"])
	assert.Equal(t, text, got["b"])
}
