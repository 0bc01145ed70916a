package fake

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	ml "github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/machinelearning/armmachinelearning/v4"

	"github.com/stephost/stephost/test/cloudfake"
)

// hostOf is the host that a call was sent to.
func hostOf(ctx context.Context) string {
	server, ok := ctx.Value(http.LocalAddrContextKey).(fmt.Stringer)
	if !ok {
		return "127.0.0.1"
	}
	return server.String()
}

// details is a run in the run history.
func (s *Server) details(w http.ResponseWriter, r *http.Request, parts []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[parts[1]]
	if j == nil {
		answerError(w, http.StatusNotFound, "UserError", "no such run")
		return
	}
	out := map[string]any{"runId": j.name, "status": j.state, "warnings": []any{}, "logFiles": s.logFiles(r, j)}
	for name, at := range map[string]time.Time{"startTimeUtc": j.started, "endTimeUtc": j.ended} {
		if !at.IsZero() {
			out[name] = at.UTC()
		}
	}
	if j.state == ml.JobStatusQueued && j.life.QueuedMS > 0 {
		out["warnings"] = []any{map[string]string{"source": "ComputeTarget", "message": "The subscription has not enough quota for the size."}}
	}
	if j.reason != "" {
		out["error"] = map[string]any{"error": map[string]string{"code": j.code, "message": j.reason}}
	}
	answer(w, http.StatusOK, out)
}

// logFiles are the addresses of a run's logs; mu is held.
func (s *Server) logFiles(r *http.Request, j *job) map[string]string {
	files := map[string]string{}
	for i := range j.nodes {
		name := "user_logs/std_log.txt"
		if len(j.nodes) > 1 {
			name = fmt.Sprintf("user_logs/std_log_process_%d.txt", i)
		}
		files[name] = fmt.Sprintf("http://%s/blob/%s/%d?sv=2024&sig=%d", r.Host, j.name, i, s.signature)
	}
	return files
}

// artifacts lists what the first node left in ./outputs.
func (s *Server) artifacts(w http.ResponseWriter, r *http.Request, parts []string) {
	s.mu.Lock()
	j := s.jobs[parts[1]]
	wd := ""
	if j != nil && len(j.nodes) > 0 {
		wd = j.nodes[0].wd
	}
	s.mu.Unlock()
	var names []string
	if wd != "" {
		_ = filepath.WalkDir(wd, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				name, _ := filepath.Rel(wd, path)
				if strings.HasPrefix(filepath.ToSlash(name), r.URL.Query().Get("path")) {
					names = append(names, filepath.ToSlash(name))
				}
			}
			return nil
		})
	}
	const size = 2 // small pages: every caller must go on
	slices.Sort(names)
	from, _ := strconv.Atoi(r.URL.Query().Get("continuationToken"))
	from = min(from, len(names))
	to := min(from+size, len(names))
	value := []map[string]string{}
	for _, name := range names[from:to] {
		value = append(value, map[string]string{"path": name, "contentUri": s.artifactURL(r, parts[1], name)})
	}
	page := map[string]any{"value": value}
	if to < len(names) {
		page["continuationToken"] = strconv.Itoa(to)
	}
	answer(w, http.StatusOK, page)
}

// artifactURL is the address of a file, with a signature that ends.
func (s *Server) artifactURL(r *http.Request, job, name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := url.URL{Scheme: "http", Host: r.Host, Path: "/artifact/" + job + "/" + name, RawQuery: "sv=2024&sig=" + strconv.Itoa(s.signature)}
	return u.String()
}

// getArtifact gives a file that a job left, or a range of it.
func (s *Server) getArtifact(w http.ResponseWriter, r *http.Request, parts []string) {
	s.mu.Lock()
	j := s.jobs[parts[1]]
	good := r.URL.Query().Get("sig") == strconv.Itoa(s.signature)
	wd := ""
	if j != nil && len(j.nodes) > 0 {
		wd = j.nodes[0].wd
	}
	s.mu.Unlock()
	path := filepath.Join(wd, filepath.FromSlash(parts[2]))
	if !good {
		blobError(w, http.StatusForbidden, "AuthenticationFailed")
		return
	}
	switch size, ok := cloudfake.ServeObject(w, r, path, cloudfake.ObjectVersion(path)); {
	case ok:
	case size < 0 || wd == "":
		blobError(w, http.StatusNotFound, "BlobNotFound")
	default:
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		blobError(w, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
	}
}

// getBlob gives a range of a log.
func (s *Server) getBlob(w http.ResponseWriter, r *http.Request, parts []string) {
	s.mu.Lock()
	j := s.jobs[parts[1]]
	index, _ := strconv.Atoi(parts[2])
	good := r.URL.Query().Get("sig") == strconv.Itoa(s.signature)
	var n *node
	if j != nil && index < len(j.nodes) {
		n = j.nodes[index]
	}
	s.mu.Unlock()
	switch {
	case !good:
		blobError(w, http.StatusForbidden, "AuthenticationFailed")
		return
	case n == nil:
		blobError(w, http.StatusNotFound, "BlobNotFound")
		return
	}
	f, err := os.Open(n.process.Path("log"))
	if err != nil {
		blobError(w, http.StatusNotFound, "BlobNotFound")
		return
	}
	defer f.Close()
	size := s.visible(j, n, f)
	given := r.Header.Get("x-ms-range") + r.Header.Get("Range")
	var from, to int64
	if _, err := fmt.Sscanf(given, "bytes=%d-%d", &from, &to); err != nil {
		blobError(w, http.StatusBadRequest, "InvalidHeaderValue")
		return
	}
	if from >= size {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		blobError(w, http.StatusRequestedRangeNotSatisfiable, "InvalidRange")
		return
	}
	to = min(to, size-1)
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, to, size))
	w.Header().Set("Content-Length", strconv.FormatInt(to-from+1, 10))
	w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
	w.WriteHeader(http.StatusPartialContent)
	_, _ = io.Copy(w, io.NewSectionReader(f, from, to-from+1)) // a caller that went away needs no answer
}

// visible is how much of a log is shown.
func (s *Server) visible(j *job, n *node, f *os.File) int64 {
	if late := millis(j.life.LogsLateMS); late > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		var size int64
		for _, one := range n.sizes {
			if time.Since(one.at) >= late {
				size = one.size
			}
		}
		return size
	}
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	return info.Size()
}

func blobError(w http.ResponseWriter, status int, code string) {
	w.Header().Set("x-ms-error-code", code)
	w.WriteHeader(status)
}

// putBlob takes a file of a code asset.
func (s *Server) putBlob(w http.ResponseWriter, r *http.Request, parts []string) {
	if r.URL.Query().Get("sig") != "upload" {
		blobError(w, http.StatusForbidden, "AuthenticationFailed")
		return
	}
	path := filepath.Join(s.o.Dir, "code", parts[1], filepath.FromSlash(parts[2]))
	if !filepath.IsLocal(parts[2]) || os.MkdirAll(filepath.Dir(path), 0o700) != nil {
		blobError(w, http.StatusBadRequest, "InvalidUri")
		return
	}
	f, err := os.Create(path)
	if err == nil {
		_, err = io.Copy(f, r.Body)
		f.Close()
	}
	if err != nil {
		blobError(w, http.StatusInternalServerError, "InternalError")
		return
	}
	w.WriteHeader(http.StatusCreated)
}
