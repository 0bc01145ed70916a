package proc

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Boot names the current boot of this machine.
func Boot() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// Namespace names the pid namespace of this process.
func Namespace() string {
	name, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return name
}

// Ticks is the start time of a process in clock ticks since boot; 0 = there is
// no such process, or it is dead and only not yet waited for.
func Ticks(pid int) uint64 {
	s, ok := readStat(pid)
	if !ok || s.state == 'Z' || s.state == 'X' {
		return 0
	}
	return s.ticks
}

// stat is what is needed of /proc/PID/stat.
type stat struct {
	pid, parent, session int
	state                byte
	ticks                uint64
}

func readStat(pid int) (stat, bool) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, false
	}
	return parseStat(pid, data)
}

// parseStat reads the fields behind the command name. The name may hold
// spaces and brackets, so they are counted from the last closing one.
func parseStat(pid int, data []byte) (stat, bool) {
	end := bytes.LastIndexByte(data, ')')
	if end < 0 {
		return stat{}, false
	}
	const ( // indexes behind the name; proc_pid_stat(5) counts from 3
		fieldState = iota
		fieldParent
		fieldGroup
		fieldSession
		fieldTicks = 19
	)
	fields := strings.Fields(string(data[end+1:]))
	if len(fields) <= fieldTicks {
		return stat{}, false
	}
	s := stat{pid: pid, state: fields[fieldState][0]}
	var err error
	if s.parent, err = strconv.Atoi(fields[fieldParent]); err != nil {
		return stat{}, false
	}
	if s.session, err = strconv.Atoi(fields[fieldSession]); err != nil {
		return stat{}, false
	}
	if s.ticks, err = strconv.ParseUint(fields[fieldTicks], 10, 64); err != nil {
		return stat{}, false
	}
	return s, true
}

// Members lists the living processes of a step. Zombies are not living.
func Members(t Target) []int {
	names, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	self := os.Getpid()
	all := make([]stat, 0, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(name))
		if err != nil || pid == self || pid == t.Root {
			continue
		}
		if s, ok := readStat(pid); ok {
			all = append(all, s)
		}
	}
	known := t.PID != 0 && Ticks(t.PID) == t.Ticks && t.Ticks != 0
	ours := make(map[int]bool)
	for _, s := range all {
		switch {
		case known && s.pid == t.PID:
		// While the leader lives, the number of the session is its own. Later it
		// may be given away, so a dead leader's session says nothing.
		case known && s.session == t.PID:
		case t.Key != "" && marked(s.pid, t.Key):
		default:
			continue
		}
		ours[s.pid] = true
	}
	if t.Root != 0 {
		ours[t.Root] = true
	}
	// Parents may come after their children in the list: repeat until nothing
	// new is found.
	for grown := true; grown; {
		grown = false
		for _, s := range all {
			if !ours[s.pid] && ours[s.parent] {
				ours[s.pid], grown = true, true
			}
		}
	}
	var living []int
	for _, s := range all {
		if ours[s.pid] && s.state != 'Z' && s.state != 'X' {
			living = append(living, s.pid)
		}
	}
	return living
}

// marked tells whether the process was started with the mark of key. A
// process of another user cannot be read and is not ours.
func marked(pid int, key string) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	mark := []byte(Mark + "=" + key)
	for len(data) > 0 {
		entry, rest, _ := bytes.Cut(data, []byte{0})
		if bytes.Equal(entry, mark) {
			return true
		}
		data = rest
	}
	return false
}

// Signal sends sig to each living process of the step and returns how many
// there were. A pid that was taken over since the list was made cannot be hit:
// the process is held by a descriptor while it is looked at once more.
func Signal(t Target, sig unix.Signal) int {
	members := Members(t)
	for _, pid := range members {
		before := Ticks(pid)
		if before == 0 {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			if err == unix.ENOSYS && Ticks(pid) == before {
				_ = unix.Kill(pid, sig)
			}
			continue
		}
		if Ticks(pid) == before {
			_ = unix.PidfdSendSignal(fd, sig, nil, 0)
		}
		unix.Close(fd)
	}
	return len(members)
}

// Subreaper makes this process the parent of every orphan below it, so that a
// daemon of the step cannot leave its tree.
func Subreaper() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// Reaps tells whether Subreaper works here: then having no child left means
// that no process of the step is left.
const Reaps = true
