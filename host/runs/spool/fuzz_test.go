package spool

import (
	"errors"
	"os"
	"testing"
)

// FuzzFrames: no file makes recovery or a reader panic, loop, or show a frame
// whose checksum is wrong; and the log goes on behind whatever it was.
func FuzzFrames(f *testing.F) {
	header := appendFrame(nil, frameHeader, 0, 1, 0, "", `{"v":1,"seq":1,"sources":[{"id":1,"attempt":1,"container":"main","stream":"stdout"}]}`)
	f.Add([]byte{})
	f.Add(header)
	f.Add(appendFrame(header, KindEntry, 0, 5, 1, "7", "text\n"))
	f.Add(appendFrame(header, KindGap, 0, 5, 1, "", `{"bytes":"x"}`))
	f.Add(appendFrame(header, frameSource, 0, 5, 9, "", `{"id":9}`))
	f.Add(appendFrame(header, KindFinish, flagPartial|flagLate, noTime, 99, "", ""))
	f.Add(append(appendFrame(header, 200, 0, 5, 1<<60, "x", "y"), make([]byte, 64)...))
	f.Add(appendFrame(nil, frameHeader, 0, 1, 0, "", `{"v":1,"seq":1,"prev":1,"prev_len":-5,"data":-1}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(segmentPath(dir, 1), content, 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := OpenWriter(dir, Options{Fence: 1 << 62})
		if err != nil {
			var v *VersionError
			if !errors.As(err, &v) && !errors.Is(err, ErrSuperseded) {
				t.Fatal(err)
			}
			return
		}
		if err := w.Append(stdout, []Entry{{Data: []byte("the line behind it\n"), Cursor: "c"}}); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		all := readAll(t, dir, ReadOptions{})
		if len(all) == 0 || all[len(all)-1] != "the line behind it" {
			t.Fatalf("the log did not go on: %q", all)
		}
		readAll(t, dir, ReadOptions{Tail: 2})
	})
}

// FuzzCutFrame: a frame that is accepted is one that appendFrame makes.
func FuzzCutFrame(f *testing.F) {
	f.Add(appendFrame(nil, KindEntry, 1, 2, 3, "four", "five"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, size, status := cutFrame(b)
		if status != frameWhole {
			return
		}
		again := appendFrame(nil, fr.kind, fr.flags, fr.nanos, fr.source, string(fr.cursor), fr.body)
		if got, n, ok := cutFrame(again); ok != frameWhole || n > size || string(got.body) != string(fr.body) {
			t.Fatal("not the same again")
		}
	})
}
