package home_test

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/host/home"
)

func TestNext(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.ENOSPC: "make room", syscall.ENOTDIR: "is a file", syscall.ELOOP: "symbolic links", syscall.EEXIST: "symbolic links",
		syscall.ENAMETOOLONG: "too long", syscall.EACCES: "that you may write to",
	} {
		assert.Contains(t, home.Next(&os.PathError{Op: "mkdir", Path: "/x", Err: errno}), want, errno.Error())
	}
}
