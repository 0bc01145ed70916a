package cloudfake

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
)

// ServeObject answers a GET as object stores do: with a file, or with the range
// of it that the request asks for. ok is false, and nothing is answered, when
// there is no such file (size = -1) or the range lies behind its end. version
// becomes the entity tag.
func ServeObject(w http.ResponseWriter, r *http.Request, path, version string) (size int64, ok bool) {
	f, err := os.Open(path)
	if err != nil {
		return -1, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return -1, false
	}
	size = info.Size()
	// x-ms-range is Azure's.
	from, to, status := int64(0), size-1, http.StatusOK
	if given := r.Header.Get("x-ms-range") + r.Header.Get("Range"); given != "" {
		var last int64
		switch n, _ := fmt.Sscanf(given, "bytes=%d-%d", &from, &last); n {
		case 2:
			to = min(last, to)
		case 1:
		default:
			return size, false
		}
		if from >= size {
			return size, false
		}
		status = http.StatusPartialContent
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, size))
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(to-from+1, 10))
	w.Header().Set("ETag", strconv.Quote(version))
	w.Header().Set("Last-Modified", info.ModTime().UTC().Format(http.TimeFormat))
	w.WriteHeader(status)
	_, _ = io.Copy(w, io.NewSectionReader(f, from, to-from+1)) // a caller that went away needs no answer
	return size, true
}

// ObjectVersion tells the contents of a file apart by its time and size.
func ObjectVersion(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "0"
	}
	return fmt.Sprintf("%x-%x", info.ModTime().UnixNano(), info.Size())
}
