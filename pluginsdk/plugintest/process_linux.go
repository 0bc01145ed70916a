package plugintest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// groupMembers names what lives in the process group of a leader that has ended.
// Zombies count as gone: nobody may be there to reap them.
func groupMembers(pgid int) []string {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		// pid (name) state ppid pgrp; the name may hold anything.
		i := strings.LastIndexByte(string(stat), ')')
		fields := strings.Fields(string(stat)[max(i+1, 0):])
		if len(fields) < 3 || fields[0] == "Z" || fields[0] == "X" || fields[2] != strconv.Itoa(pgid) {
			continue
		}
		name, _ := os.ReadFile("/proc/" + e.Name() + "/comm")
		out = append(out, fmt.Sprintf("a process %s (%s) in its process group", e.Name(), strings.TrimSpace(string(name))))
	}
	return out
}
