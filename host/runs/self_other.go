//go:build !linux

package runs

import "os"

// self says who this process is. Where machine and boot are not known, the host
// name and the lock judge.
func self() OwnerInfo {
	host, _ := os.Hostname()
	return OwnerInfo{PID: os.Getpid(), Host: host}
}

func startTime(int) string { return "" }
