//go:build unix

package runner

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// TimesRecord is the length of a record in the index of times: offset in the
// log file, time in nanoseconds since 1970, bytes lost just before the offset;
// little endian. A record is written before the bytes that it is about, so
// whoever sees bytes knows their time.
const TimesRecord = 24

// pump moves one stream of a step from its pipe into its file. Only the holder
// of the job's lock has one.
type pump struct {
	job    jobdir.Job
	stream string
	fd     int    // reading side of the step's pipe
	stop   [2]int // a pipe whose end of writing ends run
	// log and times are opened with the first bytes: most steps write nothing to
	// one of their streams, and files cost more than a short step.
	log    *os.File
	times  *os.File
	offset int64
	noted  int64 // end of the last record in times
	stamp  time.Time
	// lost counts bytes that found no room on the disk and are not yet in the
	// index of times.
	lost int64
	// copies: this file system knows no splice.
	copies  bool
	buffer  []byte
	running bool
	done    chan struct{}
}

// openPump opens the reading side.
func openPump(j jobdir.Job, stream string) (*pump, error) {
	if err := unix.Mkfifo(j.Pipe(stream), 0o600); err != nil && !errors.Is(err, unix.EEXIST) {
		return nil, &os.PathError{Op: "mkfifo", Path: j.Pipe(stream), Err: err}
	}
	fd, err := unix.Open(j.Pipe(stream), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: j.Pipe(stream), Err: err}
	}
	enlarge(fd)
	p := &pump{job: j, stream: stream, fd: fd, done: make(chan struct{})}
	if err := unix.Pipe(p.stop[:]); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("pipe", err)
	}
	unix.CloseOnExec(p.stop[0])
	unix.CloseOnExec(p.stop[1])
	return p, nil
}

// gather is the pause after a move: a step that prints line by line is moved
// a thousand times a second instead of once a line, and everybody behind the
// runner (file, plugin, host, terminal) wakes as seldom. In milliseconds, for
// poll(2).
const gather = 1

// openFiles opens what is written. It goes on where the last pump of the job
// ended: at the end of the file.
func (p *pump) openFiles() (err error) {
	if p.log == nil {
		log, err := os.OpenFile(p.job.Stream(p.stream), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		if p.offset, err = log.Seek(0, io.SeekEnd); err != nil {
			log.Close()
			return err
		}
		p.log = log
	}
	if p.times == nil {
		if p.times, err = os.OpenFile(p.job.Times(p.stream), os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			return err
		}
		info, err := p.times.Stat()
		if err != nil {
			return err
		}
		// A runner that died within a record left a part of one.
		p.noted = info.Size() - info.Size()%TimesRecord
	}
	return nil
}

// writeEnd opens the side that the step gets, as a plain descriptor: an
// os.File would make it non-blocking, and the step shares that flag. It is
// open for reading too, so that the step itself keeps the pipe alive when the
// runner is dead.
func writeEnd(j jobdir.Job, stream string) (int, error) {
	fd, err := unix.Open(j.Pipe(stream), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "open", Path: j.Pipe(stream), Err: err}
	}
	return fd, nil
}

// start begins to move bytes. There must be a writer already: before, a pipe
// looks as if every writer were gone.
func (p *pump) start() {
	p.running = true
	go p.run()
}

// run moves bytes until every writer is gone. It waits with poll(2) on a thread
// of its own: Go's poller would wake with every write of the step.
func (p *pump) run() {
	defer close(p.done)
	fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}, {Fd: int32(p.stop[0]), Events: unix.POLLIN}}
	for {
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if fds[1].Revents != 0 { // closed
			return
		}
		if fds[0].Revents == 0 {
			continue
		}
		n, err := p.move(p.fd)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			continue
		case n == 0 && err == nil:
			p.note(time.Now()) // bytes lost at the very end
			return
		}
		// The pause ends early when the last writer goes, or the pump does.
		pause := []unix.PollFd{{Fd: int32(p.fd)}, {Fd: int32(p.stop[0]), Events: unix.POLLIN}}
		_, _ = unix.Poll(pause, gather)
	}
}

// move moves what is in the pipe now. 0 and no error = every writer is gone.
func (p *pump) move(fd int) (int64, error) {
	if now := time.Now(); p.log == nil || p.lost > 0 || now.Sub(p.stamp) >= timesEvery {
		if waiting(fd) && p.openFiles() == nil {
			p.note(now)
		}
	}
	if !p.copies && p.log != nil {
		n, err := splice(fd, int(p.log.Fd()))
		switch {
		case err == nil:
			p.offset += n
			return n, nil
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			return -1, err
		case errors.Is(err, unix.EINVAL), errors.Is(err, errors.ErrUnsupported):
			p.copies = true
		}
	}
	// Here splice does not work, or the disk is full: the step must not wait
	// for that, so what cannot be written is counted and dropped.
	if p.buffer == nil {
		p.buffer = make([]byte, 64<<10)
	}
	n, err := unix.Read(fd, p.buffer)
	if err != nil || n == 0 {
		return int64(n), err
	}
	written := 0
	if p.openFiles() == nil {
		written, _ = p.log.Write(p.buffer[:n])
	}
	p.offset += int64(written)
	p.lost += int64(n - written)
	return int64(n), nil
}

// note writes a record into the index of times. A failure is repeated with
// the next bytes.
func (p *pump) note(now time.Time) {
	if p.times == nil || p.lost == 0 && now.Sub(p.stamp) < timesEvery {
		return
	}
	var record [TimesRecord]byte
	binary.LittleEndian.PutUint64(record[0:], uint64(p.offset))
	binary.LittleEndian.PutUint64(record[8:], uint64(now.UnixNano()))
	binary.LittleEndian.PutUint64(record[16:], uint64(p.lost))
	if _, err := p.times.WriteAt(record[:], p.noted); err == nil {
		p.noted += TimesRecord
		p.stamp, p.lost = now, 0
	}
}

// wait waits for the end of the stream, at most until the channel fires, and
// tells whether it came.
func (p *pump) wait(limit <-chan time.Time) bool {
	select {
	case <-p.done:
		return true
	case <-limit:
		return false
	}
}

func (p *pump) close() {
	unix.Close(p.stop[1]) // ends run
	if p.running {
		<-p.done
	}
	unix.Close(p.stop[0])
	unix.Close(p.fd)
	if p.log != nil {
		p.log.Close()
	}
	if p.times != nil {
		p.times.Close()
	}
}
