package fake

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stephost/stephost/test/cloudfake"
)

// objects is Cloud Storage. An object is a file, so that what a step writes into
// the mounted bucket is one too.
type objects struct {
	root string

	mu          sync.Mutex
	last        int64
	generations map[string]int64
}

func newObjects(root string) *objects { return &objects{root: root, generations: map[string]int64{}} }

func (o *objects) makeBucket(name string) error {
	return os.MkdirAll(filepath.Join(o.root, name), 0o700)
}

func (o *objects) there(bucket string) bool {
	info, err := os.Stat(filepath.Join(o.root, bucket))
	return err == nil && info.IsDir() && bucket != ""
}

// mount replaces /gcs/ at the beginning of a variable.
func (o *objects) mount(value string) string {
	if rest, ok := strings.CutPrefix(value, "/gcs/"); ok {
		return filepath.Join(o.root, rest)
	}
	return value
}

func (o *objects) path(bucket, name string) string {
	return filepath.Join(o.root, bucket, filepath.FromSlash(name))
}

// generation of an object, 0 = there is none; o.mu is held.
func (o *objects) generation(path string) int64 {
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return 0
	}
	if g, ok := o.generations[path]; ok {
		return g
	}
	return 1 // written through the mount
}

// put is POST /upload/storage/v1/b/{bucket}/o?name=...
func (o *objects) put(w http.ResponseWriter, r *http.Request) {
	bucket, name := r.PathValue("bucket"), r.URL.Query().Get("name")
	if !o.there(bucket) {
		fail(w, http.StatusNotFound, "The specified bucket does not exist.")
		return
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	path := o.path(bucket, name)
	if !o.matches(r, path) {
		fail(w, http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold.")
		return
	}
	if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	o.last++
	o.generations[path] = o.last + 1
	give(w, o.meta(name, path))
}

func (o *objects) matches(r *http.Request, path string) bool {
	want := r.URL.Query().Get("ifGenerationMatch")
	return want == "" || want == strconv.FormatInt(o.generation(path), 10)
}

func (o *objects) meta(name, path string) map[string]string {
	size, updated := int64(0), time.Time{}
	if info, err := os.Stat(path); err == nil {
		size, updated = info.Size(), info.ModTime()
	}
	return map[string]string{"name": name, "size": strconv.FormatInt(size, 10), "generation": strconv.FormatInt(o.generation(path), 10),
		"updated": updated.UTC().Format(time.RFC3339Nano)}
}

// object is GET and DELETE /storage/v1/b/{bucket}/o/{name}.
func (o *objects) object(w http.ResponseWriter, r *http.Request) {
	bucket, name := r.PathValue("bucket"), r.PathValue("name")
	// A large object must not hold up the others: it is sent without the lock.
	var media string
	defer func() {
		if media == "" {
			return
		}
		switch size, ok := cloudfake.ServeObject(w, r, media, w.Header().Get("X-Goog-Generation")); {
		case ok:
		case size < 0:
			fail(w, http.StatusNotFound, "No such object: "+bucket+"/"+name)
		default:
			fail(w, http.StatusRequestedRangeNotSatisfiable, "The requested range cannot be satisfied.")
		}
	}()
	o.mu.Lock()
	defer o.mu.Unlock()
	path := o.path(bucket, name)
	if !o.there(bucket) || o.generation(path) == 0 {
		fail(w, http.StatusNotFound, "No such object: "+bucket+"/"+name)
		return
	}
	if !o.matches(r, path) {
		fail(w, http.StatusPreconditionFailed, "At least one of the pre-conditions you specified did not hold.")
		return
	}
	if r.Method == http.MethodDelete {
		delete(o.generations, path)
		if err := os.Remove(path); err != nil {
			fail(w, http.StatusInternalServerError, err.Error())
			return
		}
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if r.URL.Query().Get("alt") != "media" {
		give(w, o.meta(name, path))
		return
	}
	w.Header().Set("X-Goog-Generation", strconv.FormatInt(o.generation(path), 10))
	media = path
}

// list is GET /storage/v1/b/{bucket}/o?prefix=...
func (o *objects) list(w http.ResponseWriter, r *http.Request) {
	bucket, prefix := r.PathValue("bucket"), r.URL.Query().Get("prefix")
	if !o.there(bucket) {
		fail(w, http.StatusNotFound, "The specified bucket does not exist.")
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var names []string
	base := filepath.Join(o.root, bucket)
	err := filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(base, path)
		if name = filepath.ToSlash(name); strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		fail(w, http.StatusInternalServerError, err.Error())
		return
	}
	slices.Sort(names)
	most, _ := strconv.Atoi(r.URL.Query().Get("maxResults"))
	from, _ := slices.BinarySearch(names, r.URL.Query().Get("pageToken"))
	answer := map[string]any{}
	items := []map[string]string{}
	for _, name := range names[from:] {
		if len(items) == most {
			answer["nextPageToken"] = name
			break
		}
		items = append(items, o.meta(name, o.path(bucket, name)))
	}
	answer["items"] = items
	give(w, answer)
}
