package runs

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// self says who this process is; ID, StartedAt and HostVersion are missing.
func self() OwnerInfo {
	info := OwnerInfo{PID: os.Getpid(), StartTime: startTime(os.Getpid())}
	info.Host, _ = os.Hostname()
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if info.Machine = readLine(path); info.Machine != "" {
			break
		}
	}
	info.Boot = readLine("/proc/sys/kernel/random/boot_id")
	info.PIDNamespace, _ = os.Readlink("/proc/self/ns/pid")
	return info
}

func readLine(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b))
}

// startTime is field 22 of the process's stat (clock ticks since boot), or "".
// The name in field 2 may hold anything, even parentheses.
func startTime(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	const behindName = 22 - 3 // index of field 22 when field 3 is the first
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	if len(fields) <= behindName {
		return ""
	}
	return fields[behindName]
}
