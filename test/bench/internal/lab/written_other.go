//go:build !unix

package lab

import "os"

func written(*os.ProcessState) int64 { return 0 }
