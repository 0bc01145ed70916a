package source

import (
	"io/fs"
	"syscall"
)

func statOf(fi fs.FileInfo) statTuple {
	t := statTuple{Size: fi.Size(), Mtime: fi.ModTime().UnixNano()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		t.Dev, t.Ino, t.Ctime = uint64(st.Dev), st.Ino, st.Ctim.Nano()
	}
	return t
}
