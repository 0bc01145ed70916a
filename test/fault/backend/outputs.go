package backend

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/stephost/stephost/test/fault/wire"
)

// outputs is the directory that the step writes to.
func (j *job) outputs() string { return filepath.Join(j.dir, "output") }

// strayContent is what a name holds that no file has.
const strayContent = "stray"

// outputOf is a file as it is now. Its version is its time and size.
func (j *job) outputOf(name string, info fs.FileInfo) wire.OutputFile {
	return wire.OutputFile{Name: name, Bytes: info.Size(), Changed: info.ModTime(),
		Version: fmt.Sprintf("%x-%x", info.ModTime().UnixNano(), info.Size())}
}

func (b *Backend) serveOutputs(w http.ResponseWriter, r *http.Request) {
	b.job(w, r, func(j *job) {
		files := []wire.OutputFile{}
		dir := j.outputs()
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			name, err := filepath.Rel(dir, path)
			files = append(files, j.outputOf(filepath.ToSlash(name), info))
			return err
		})
		if err != nil {
			fail(w, http.StatusInternalServerError, wire.CodeInternal, err.Error())
			return
		}
		for _, name := range j.faults.OutputNames {
			files = append(files, wire.OutputFile{Name: name, Bytes: int64(len(strayContent)), Version: "1"})
		}
		answer(w, http.StatusOK, files)
	})
}

func (b *Backend) serveOutput(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	offset, err := strconv.ParseInt(r.URL.Query().Get("offset"), 10, 64)
	if err != nil || offset < 0 {
		fail(w, http.StatusBadRequest, wire.CodeInvalid, "bad offset")
		return
	}
	b.mu.Lock()
	j := b.find(r.PathValue("id"))
	b.mu.Unlock()
	if j == nil {
		fail(w, http.StatusNotFound, wire.CodeNotFound, "there is no such job")
		return
	}
	if slices.Contains(j.faults.OutputNames, name) {
		sendOutput(w, wire.OutputFile{Name: name, Bytes: int64(len(strayContent)), Version: "1"})
		_, _ = io.WriteString(w, strayContent[min(offset, int64(len(strayContent))):])
		return
	}
	if b.spend("output", j.ID, j.faults.OutputErrors) {
		fail(w, http.StatusInternalServerError, wire.CodeInternal, "the store is not available")
		return
	}
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		fail(w, http.StatusNotFound, wire.CodeNotFound, "there is no such file")
		return
	}
	file, err := os.Open(filepath.Join(j.outputs(), filepath.FromSlash(name)))
	if err != nil {
		fail(w, http.StatusNotFound, wire.CodeNotFound, "there is no such file")
		return
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil || !info.Mode().IsRegular():
		fail(w, http.StatusNotFound, wire.CodeNotFound, "there is no such file")
		return
	case offset > 0 && offset >= info.Size():
		fail(w, http.StatusRequestedRangeNotSatisfiable, wire.CodeRange, "the file ends before")
		return
	}
	sendOutput(w, j.outputOf(name, info))
	rest := io.NewSectionReader(file, offset, info.Size()-offset)
	larger := rest.Size() > j.faults.OutputBreakAfter
	part := func() { _, _ = io.CopyN(w, rest, j.faults.OutputBreakAfter) }
	switch {
	case larger && b.spend("output-kill", j.ID, j.faults.OutputKills):
		part()
		killCaller(r)
		drop()
	case larger && b.spend("output-break", j.ID, j.faults.OutputBreaks):
		part()
		drop()
	case larger && b.spend("output-stall", j.ID, j.faults.OutputStalls):
		part()
		_ = http.NewResponseController(w).Flush() // a caller that went away needs nothing
		<-r.Context().Done()
		return
	}
	_, _ = io.Copy(w, rest) // a caller that went away needs no answer
}

func sendOutput(w http.ResponseWriter, f wire.OutputFile) {
	text, err := json.Marshal(f)
	if err != nil {
		fail(w, http.StatusInternalServerError, wire.CodeInternal, err.Error())
		return
	}
	w.Header().Set(wire.HeaderFile, string(text))
	w.WriteHeader(http.StatusOK)
}
