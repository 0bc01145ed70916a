package spool

import (
	"os"
	"time"
)

// clockStep is how coarse file systems tell the time: a directory that has changed
// less than that ago may change again and look the same.
const clockStep = 20 * time.Millisecond

// replaced tells whether a writer with a newer claim was here. Its first act is a
// segment, so the directory changes: while it has not since the last look, the
// answer costs one question to the system.
func (w *Writer) replaced() bool {
	info, err := os.Stat(w.dir)
	if err != nil {
		return false // the write will tell
	}
	changed := info.ModTime()
	if changed.Equal(w.looked) {
		return false
	}
	sure := time.Since(changed) > clockStep
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		seq, isZstd := segmentNumber(e.Name())
		if seq < w.next {
			continue
		}
		h, err := readHeader(w.dir, seq, isZstd)
		if err != nil {
			sure = false // it is being made, or compressed
			continue
		}
		if h.Fence > w.o.Fence {
			return true
		}
	}
	if sure {
		w.looked = changed
	}
	return false
}
