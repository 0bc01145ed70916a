//go:build !front

package cli

import (
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/stephost/stephost/host/fetch"
)

// meterEvery is how often the line of progress changes on a terminal.
const meterEvery = 200 * time.Millisecond

// meter shows how a fetch gets on: a line that changes on a terminal, and a line
// for each file that is there. Its methods are called one at a time, but for close.
type meter struct {
	a     *app
	live  *os.File // stderr where it is a terminal
	mu    sync.Mutex
	shown bool
	at    time.Time
	last  fetch.Progress
	// told are the files whose trouble was told: not each time anew in a pipe.
	told map[string]string
}

func newMeter(a *app) *meter {
	m := &meter{a: a, told: map[string]string{}}
	if f, ok := a.stderr.(*os.File); ok && terminal(f) && !a.json() {
		m.live = f
	}
	return m
}

// erase removes the line; mu is held.
func (m *meter) erase() {
	if m.shown {
		fmt.Fprint(m.live, "\r\x1b[K")
		m.shown = false
	}
}

func (m *meter) done(f fetch.Fetched) {
	if m.a.json() {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.erase()
	fmt.Fprintln(m.a.stdout, f.Path)
	if f.State == fetch.Kept {
		m.a.say("was there already: %s", f.Path)
	}
}

func (m *meter) progress(p fetch.Progress) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = p
	if m.live == nil || time.Since(m.at) < meterEvery {
		return
	}
	m.at = time.Now()
	m.erase()
	fmt.Fprint(m.live, "fetching "+progressText(p))
	m.shown = true
}

func progressText(p fetch.Progress) string {
	text := fmt.Sprintf("%d of %d files, %s", p.Done, p.Files, size(p.Bytes))
	if p.Total >= 0 {
		text += " of " + size(p.Total)
	}
	return text
}

func (m *meter) trouble(path string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.told[path] == err.Error() {
		return
	}
	m.told[path] = err.Error()
	m.erase()
	m.a.say("%s: trying again: %v", path, err)
}

// close removes the line and says how much is there.
func (m *meter) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.erase()
	if m.last.Files > 0 {
		m.a.say("fetched %s", progressText(m.last))
	}
}
