package spool

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// row is a line of 200 bytes, as a training prints it.
func row(n int) []byte {
	b := fmt.Appendf(nil, "2026-01-02T03:04:05.678Z INFO epoch=%06d loss=0.%06d accuracy=0.%06d lr=0.000%d ", n, n*7919%1000000, n*104729%1000000, n%10)
	return append(b, bytes.Repeat([]byte("x"), 199-len(b))...)
}

func packed(lines int) []byte {
	var b []byte
	for n := range lines {
		b = append(append(b, row(n)...), '\n')
	}
	return b
}

func BenchmarkAppend(b *testing.B) {
	for _, bc := range []struct {
		name    string
		entries int // in one Append
		lines   int // in one entry
		raw     bool
	}{
		{"300 lines an entry", 1, 300, true},
		{"300 lines an entry, compressing", 1, 300, false},
		{"1 line an entry, 300 an Append", 300, 1, true},
		{"1 line an entry, 1 an Append", 1, 1, true},
	} {
		b.Run(bc.name, func(b *testing.B) {
			data := packed(bc.lines)
			entries := make([]Entry, bc.entries)
			at := time.Now()
			for i := range entries {
				entries[i] = Entry{Time: at, Data: data, Cursor: "1234567890"}
			}
			total := bc.entries * len(data)
			b.SetBytes(int64(total))
			w := open(b, b.TempDir(), Options{Limit: 1 << 30})
			w.keep.failed = bc.raw
			n := 0
			for b.Loop() {
				n++
				if err := w.Append(stdout, entries); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n*bc.entries*bc.lines)/b.Elapsed().Seconds()/1e6, "Mlines/s")
		})
	}
}

// BenchmarkRawWrite is the bare system call that an Append of 300 lines cannot
// beat.
func BenchmarkRawWrite(b *testing.B) {
	f, err := os.Create(b.TempDir() + "/f")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	data := packed(300)
	b.SetBytes(int64(len(data)))
	off := int64(0)
	for b.Loop() {
		if _, err := f.WriteAt(data, off); err != nil {
			b.Fatal(err)
		}
		off = (off + int64(len(data))) % (1 << 30)
	}
}

func BenchmarkRead(b *testing.B) {
	for name, compact := range map[string]bool{"as written": false, "compressed": true} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			w := open(b, dir, Options{SegmentSize: 32 << 20})
			w.keep.failed = true
			var entries []Entry
			for n := range 300 {
				entries = append(entries, Entry{Time: time.Unix(1, 0), Data: append(row(n), '\n'), Cursor: "1234567890"})
			}
			const batches = 1000
			for range batches {
				if err := w.Append(stdout, entries); err != nil {
					b.Fatal(err)
				}
			}
			if compact {
				if err := Compact(b.Context(), dir); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(batches * 300 * 200)
			for b.Loop() {
				r, err := OpenReader(dir, ReadOptions{})
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = r.Next(context.Background())
				}
				if err != io.EOF {
					b.Fatal(err)
				}
				_ = r.Close()
			}
			b.ReportMetric(float64(b.N*batches*300)/b.Elapsed().Seconds()/1e6, "Mlines/s")
		})
	}
}

// 1,000 logs in one process: what they hold when idle, each with a reader that
// waits.
func TestIdleLogsAreCheap(t *testing.T) {
	const logs, most = 1000, 20 << 10
	parent := t.TempDir()
	used := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // the first only marks pooled buffers for release
		runtime.ReadMemStats(&m)
		return int64(m.HeapInuse + m.StackInuse)
	}
	before := used()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, logs)
	shared := &Buffers{}
	for n := range logs {
		w := open(t, fmt.Sprintf("%s/%d", parent, n), Options{Buffers: shared})
		require.NoError(t, w.Append(stdout, []Entry{{Data: packed(100), Cursor: "x"}}))
		r, err := w.NewReader(ReadOptions{Follow: true})
		require.NoError(t, err)
		_, err = r.Next(ctx)
		require.NoError(t, err)
		go func() {
			_, err := r.Next(ctx)
			_ = r.Close()
			done <- err
		}()
		eventually(t, "the reader waits", func() bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.waiters > 0
		})
	}
	each := (used() - before) / logs
	t.Logf("%d bytes a log with its reader", each)
	if !raceDetector { // it keeps what would be freed
		assert.Less(t, each, int64(most))
	}
	cancel()
	for range logs {
		require.ErrorIs(t, <-done, context.Canceled)
	}
}
