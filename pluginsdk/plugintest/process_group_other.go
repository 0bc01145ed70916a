//go:build unix && !linux

package plugintest

import "syscall"

// groupMembers tells whether anything lives in the process group.
func groupMembers(pgid int) []string {
	if syscall.Kill(-pgid, 0) != nil {
		return nil
	}
	return []string{"processes in its process group"}
}
