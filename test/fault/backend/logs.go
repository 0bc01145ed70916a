package backend

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/stephost/stephost/test/fault/wire"
)

// How often a waiting log read looks at its file.
const (
	firstLook = time.Millisecond
	lastLook  = 20 * time.Millisecond
	// maxChunk bounds one answer.
	maxChunk = 256 << 10
)

func (b *Backend) serveLogs(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	epoch, err1 := strconv.Atoi(q.Get("epoch"))
	offset, err2 := strconv.ParseInt(q.Get("offset"), 10, 64)
	wait, err3 := strconv.Atoi(q.Get("wait_ms"))
	stream := q.Get("stream")
	if errors.Join(err1, err2, err3) != nil || (stream != "stdout" && stream != "stderr") || offset < 0 {
		fail(w, http.StatusBadRequest, wire.CodeInvalid, "bad log request")
		return
	}
	deadline := time.Now().Add(ms(wait))
	for look := firstLook; ; look = min(2*look, lastLook) {
		chunk, err := b.read(r.PathValue("id"), epoch, stream, offset)
		switch {
		case err == errGone:
			fail(w, http.StatusNotFound, wire.CodeNotFound, "there is no such job")
			return
		case err != nil:
			fail(w, http.StatusInternalServerError, wire.CodeInternal, err.Error())
			return
		}
		if len(chunk.Data) == 0 && !chunk.End && time.Now().Before(deadline) {
			select {
			case <-time.After(look):
				continue
			case <-r.Context().Done():
				return
			}
		}
		w.Header().Set(wire.HeaderFirst, strconv.FormatInt(chunk.First, 10))
		w.Header().Set(wire.HeaderNext, strconv.FormatInt(chunk.Next, 10))
		w.Header().Set(wire.HeaderEnd, strconv.FormatBool(chunk.End))
		_, _ = w.Write(chunk.Data)
		return
	}
}

var errGone = errors.New("gone")

// read returns what is there behind offset.
func (b *Backend) read(id string, epoch int, stream string, offset int64) (*wire.Chunk, error) {
	b.mu.Lock()
	j := b.find(id)
	if j == nil {
		b.mu.Unlock()
		return nil, errGone
	}
	over := wire.Over(j.State) || epoch < j.Restarts
	hidden := j.faults.LogsLateMS > 0 && (!wire.Over(j.State) || time.Since(j.Ended) < ms(j.faults.LogsLateMS))
	f, path := j.faults, j.log(stream, epoch)
	b.mu.Unlock()
	if hidden {
		return &wire.Chunk{Next: offset}, nil
	}
	if b.spend("logs", id, f.LogsErrors) {
		return nil, errors.New("the log store is not available")
	}
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return &wire.Chunk{Next: offset, End: over}, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	c := &wire.Chunk{}
	if f.RotateBytes > 0 {
		c.First = max(0, info.Size()-f.RotateBytes)
	}
	limit := int64(maxChunk)
	if f.LogsChunk > 0 {
		limit = int64(f.LogsChunk)
	}
	at := max(offset, c.First)
	c.Data = make([]byte, min(limit, max(0, info.Size()-at)))
	n, err := file.ReadAt(c.Data, at)
	if err != nil && err != io.EOF {
		return nil, err
	}
	c.Data = c.Data[:n]
	c.Next = at + int64(n)
	c.End = over && c.Next >= info.Size()
	return c, nil
}
