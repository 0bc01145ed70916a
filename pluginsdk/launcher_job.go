package pluginsdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Files of a job's directory, <run_dir>/launch-<key>.
const (
	launchPrefix = "launch-"
	// lockFile is locked while the process that runs the step lives.
	lockFile = "lock"
	// startedFile is made with O_EXCL before the step begins. Who finds it never
	// starts the step again.
	startedFile = "started"
	// endFile holds the verdict.
	endFile = "end.json"
)

// launchMeta is the content of startedFile.
type launchMeta struct {
	RunID   string    `json:"run_id"`
	Token   string    `json:"token"`
	Attempt int       `json:"attempt"`
	Digest  string    `json:"request_digest"`
	Started time.Time `json:"started"`
}

// launchJob is one step of a Launcher in this process.
type launchJob struct {
	dir            string
	meta           launchMeta
	lock           *flock.Flock
	stdout, stderr *launchLog
	cancel         context.CancelFunc
	answered       chan struct{} // poked when the host has the job's handle
	done           chan struct{} // closed when status is final

	mu        sync.Mutex
	status    Status
	cancelled bool
}

// newLaunchJob takes the job's directory. existing = true means that the step
// was started before by a process that is gone, or that another one runs it.
//
// Crash cases: before `started` nothing ran, and the next Submit starts it;
// behind it the step counts as started, and without end.json it is lost.
func newLaunchJob(s *Step) (j *launchJob, existing bool, err error) {
	rejected := func(err error) error {
		return Rejected(System(fmt.Errorf("the run's directory cannot be used: %w", err)))
	}
	dir := filepath.Join(s.RunDir, launchPrefix+s.Key)
	if s.RunDir == "" {
		// A predictable name in a shared directory could be somebody else's.
		dir, err = os.MkdirTemp("", "stephost-"+launchPrefix+s.Key+"-")
	} else {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, false, rejected(err)
	}
	j = &launchJob{
		dir: dir, answered: make(chan struct{}, 1), done: make(chan struct{}), lock: flock.New(filepath.Join(dir, lockFile)),
		status: Status{Phase: Running, StartedAt: time.Now()},
		meta: launchMeta{RunID: s.RunID, Token: s.Token, Attempt: s.Attempt,
			Digest: s.RequestDigest, Started: time.Now()},
	}
	mine, err := j.lock.TryLock()
	if err != nil {
		return nil, false, rejected(err)
	}
	if err := j.mark(mine); err != nil {
		_ = j.lock.Unlock()
		if errors.Is(err, fs.ErrExist) {
			return j, true, nil
		}
		return nil, false, rejected(err)
	}
	j.stdout, err = openLaunchLog(filepath.Join(dir, "stdout"))
	if err == nil {
		j.stderr, err = openLaunchLog(filepath.Join(dir, "stderr"))
	}
	if err != nil {
		// Not REJECTED: the mark says "started" from here on.
		_ = j.lock.Unlock()
		return nil, false, System(err)
	}
	return j, false, nil
}

// mark makes startedFile, or reads the one that is there (then fs.ErrExist).
func (j *launchJob) mark(mine bool) error {
	path := filepath.Join(j.dir, startedFile)
	if mine {
		data, err := json.Marshal(j.meta)
		if err != nil {
			return err
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			_, err = f.Write(data)
			return errors.Join(err, f.Sync(), f.Close())
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	j.meta.Digest = ""                // unknown, unless the file says it
	_ = json.Unmarshal(data, &j.meta) // a torn file is a mark as well
	return fs.ErrExist
}

func (j *launchJob) handle() Handle {
	data, _ := json.Marshal(launchHandle{Dir: j.dir, Attempt: j.meta.Attempt}) // two plain fields cannot fail
	return Handle{Version: 1, Data: data, NativeName: filepath.Base(j.dir)}
}

// existing answers a further Submit of the same key.
func (j *launchJob) existing(digest string) (Handle, error) {
	if j.meta.Digest != "" && digest != "" && j.meta.Digest != digest {
		return Handle{}, Rejected(Config("", "the key is in use by another request"))
	}
	h := j.handle()
	h.Existing = true
	return h, nil
}

func (j *launchJob) now() Status {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.status
}

// stop ends the step. The status says so until Launch has returned.
func (j *launchJob) stop() {
	j.mu.Lock()
	if !j.cancelled && !j.status.Phase.Terminal() {
		j.cancelled = true
		j.status.Phase = Cancelling
	}
	j.mu.Unlock()
	j.cancel()
}

// finish stores the verdict. A step that was ended because the process ends has
// none: whoever asks later finds the mark without an end, and that is LOST.
func (j *launchJob) finish(ctx context.Context, err error, ending bool) {
	j.stdout.close()
	j.stderr.close()
	j.mu.Lock()
	defer j.mu.Unlock()
	defer close(j.done)
	st := verdictOf(ctx, err, j.cancelled, ending)
	st.StartedAt, st.EndedAt = j.status.StartedAt, time.Now()
	j.status = st
	if st.Phase != Lost {
		if err := writeEnd(j.dir, st); err != nil {
			Logger(ctx).Warn("the verdict could not be written", "dir", j.dir, "error", err)
		}
	}
	_ = j.lock.Unlock()
}

// verdictOf reads what Launch returned.
func verdictOf(ctx context.Context, err error, cancelled, ending bool) Status {
	var exit *exec.ExitError
	e := find(err)
	st := Status{Phase: Failed, Class: classOf(err)}
	if err != nil {
		st.Message = bound(err.Error(), maxMessage)
	}
	switch {
	case err == nil && (ctx.Err() == nil || !ending):
		return Status{Phase: Succeeded, ExitCode: Exit(0)}
	case cancelled:
		return Status{Phase: Cancelled, Class: ClassCancelled, Message: st.Message}
	case ending:
		return Status{Phase: Lost, Class: ClassLost, Message: "the plugin process ended"}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		st.Class, st.Reason = ClassTimeout, "RunDeadline"
	case e != nil:
		st.ExitCode = e.ExitCode
	case errors.As(err, &exit) && exit != nil:
		st.Class = ClassUser
		if code := exit.ExitCode(); code >= 0 {
			st.ExitCode = Exit(code)
		}
		st.Signal = signalOf(exit.ProcessState)
	}
	return st
}

// writeEnd puts the verdict in place as a whole or not at all.
func writeEnd(dir string, st Status) error {
	data, err := json.Marshal(st)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, endFile+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), filepath.Join(dir, endFile))
}

// statusFromDisk judges a job that this process does not run.
func statusFromDisk(dir string) (Status, error) {
	lost := Status{Phase: Lost, Class: ClassLost, Reason: "PluginEnded",
		Message: "the step ran inside a plugin process that has ended; a flavor of the kind Launcher cannot survive that"}
	for range 2 {
		data, err := os.ReadFile(filepath.Join(dir, endFile))
		if err == nil {
			var st Status
			if err := json.Unmarshal(data, &st); err != nil {
				return Status{}, System(fmt.Errorf("the stored verdict cannot be read: %w", err))
			}
			return st, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return Status{}, Unreachable(err)
		}
		if _, err := os.Stat(filepath.Join(dir, lockFile)); errors.Is(err, fs.ErrNotExist) {
			return lost, nil
		}
		lock := flock.New(filepath.Join(dir, lockFile))
		free, err := lock.TryLock()
		if err != nil {
			return Status{}, Unreachable(err)
		}
		if !free {
			return Status{}, Unreachable(errors.New("the step runs in another plugin process of this machine; only that one can tell about it"))
		}
		// The verdict may have been written between the two looks: look again.
		_ = lock.Unlock()
	}
	return lost, nil
}

// removeJobDir removes a job's directory, and nothing that is none.
func removeJobDir(dir string) error {
	if !strings.Contains(filepath.Base(dir), launchPrefix) {
		return System(fmt.Errorf("%s is no directory of a step", dir))
	}
	return os.RemoveAll(dir)
}
