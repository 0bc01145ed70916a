package image

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
)

// serveIndex is a package index (PEP 503) over a directory of packages. The
// fault tests guard it with a password; the benchmark counts on it being near.
func serveIndex(dir string, w http.ResponseWriter, r *http.Request) {
	project, ok := strings.CutPrefix(r.URL.Path, "/simple/")
	if !ok {
		http.StripPrefix("/files/", http.FileServer(http.Dir(dir))).ServeHTTP(w, r)
		return
	}
	name := folded(strings.Trim(project, "/"))
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	found := false
	w.Header().Set("Content-Type", "text/html")
	for _, f := range files {
		base := filepath.Base(f)
		if own, _, _ := strings.Cut(base, "-"); folded(own) == name {
			found = true
			fmt.Fprintf(w, "<a href=\"/files/%s\">%[1]s</a>\n", base)
		}
	}
	if !found {
		http.NotFound(w, r)
	}
}

// Index is a package index over a directory of packages.
func Index(dir string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serveIndex(dir, w, r) })
}

func folded(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
}
