//go:build !unix

package runner

import "syscall"

func apart() *syscall.SysProcAttr { return nil }

// Supported tells whether steps can run on this system.
const Supported = false

// Main is not supported here.
func Main(string) int { return 1 }
