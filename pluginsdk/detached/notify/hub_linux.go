package notify

import (
	"os"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mask: files change, appear, go, and are let go of. The last one tells that a
// runner died: its lock is closed, by whatever death.
const mask = unix.IN_MODIFY | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_DELETE |
	unix.IN_CLOSE_WRITE | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// hub shares one inotify object.
type hub struct {
	mu      sync.Mutex
	file    *os.File
	fd      int
	done    chan struct{}
	waiting map[int32]map[chan struct{}]bool
}

func (h *hub) add(dir string, ch chan struct{}) (stop func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.file == nil {
		fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
		if err != nil {
			return nil, err
		}
		h.fd, h.file = fd, os.NewFile(uintptr(fd), "inotify")
		h.waiting, h.done = make(map[int32]map[chan struct{}]bool), make(chan struct{})
		go h.read(h.file, h.done)
	}
	wd, err := unix.InotifyAddWatch(h.fd, dir, mask)
	if err != nil {
		h.closeIfIdle()
		return nil, err
	}
	id := int32(wd)
	if h.waiting[id] == nil {
		h.waiting[id] = make(map[chan struct{}]bool)
	}
	h.waiting[id][ch] = true
	return func() { h.remove(id, ch) }, nil
}

func (h *hub) remove(id int32, ch chan struct{}) {
	h.mu.Lock()
	done := h.done
	delete(h.waiting[id], ch)
	if len(h.waiting[id]) == 0 {
		delete(h.waiting, id)
		// Fails when the directory is gone; the kernel has forgotten it then.
		_, _ = unix.InotifyRmWatch(h.fd, uint32(id))
	}
	idle := h.closeIfIdle()
	h.mu.Unlock()
	if idle {
		<-done
	}
}

// closeIfIdle ends the goroutine when nothing is watched. h.mu is held.
func (h *hub) closeIfIdle() bool {
	if h.file == nil || len(h.waiting) > 0 {
		return false
	}
	h.file.Close()
	h.file, h.waiting = nil, nil
	return true
}

func (h *hub) read(file *os.File, done chan struct{}) {
	defer close(done)
	buf := make([]byte, 16<<10)
	for {
		n, err := file.Read(buf)
		if err != nil {
			return
		}
		h.mu.Lock()
		if h.file == file {
			h.deliver(buf[:n])
		}
		h.mu.Unlock()
	}
}

// deliver signals whoever watches what the events are about. After an
// overflow of the queue anything may have changed.
func (h *hub) deliver(events []byte) {
	for len(events) >= unix.SizeofInotifyEvent {
		event := (*unix.InotifyEvent)(unsafe.Pointer(&events[0]))
		events = events[unix.SizeofInotifyEvent+int(event.Len):]
		if event.Mask&unix.IN_Q_OVERFLOW != 0 {
			for _, channels := range h.waiting {
				for ch := range channels {
					signal(ch)
				}
			}
			continue
		}
		for ch := range h.waiting[event.Wd] {
			signal(ch)
		}
	}
}
