package jobdir

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
)

// keyLength is the length of an idempotency key in the contract.
const keyLength = 26

// State is a state directory. It is a value; nothing is opened by making one.
type State struct{ root string }

// At is the state directory at root, an absolute path.
func At(root string) State { return State{root: root} }

// Root is the directory itself.
func (s State) Root() string { return s.root }

// Jobs holds one directory per key.
func (s State) Jobs() string { return filepath.Join(s.root, "jobs") }

// Tokens finds the attempts of a run token: one entry per job, named by the
// hash of its token (which may be any string) and its key. An entry is a second
// name of the job's meta.json, because a file of its own costs more.
func (s State) Tokens() string { return filepath.Join(s.root, "tokens") }

func (s State) tokenPrefix(token string) string {
	sum := sha256.Sum256([]byte("stephost-local/token|" + token))
	return hex.EncodeToString(sum[:16]) + "-"
}

func (s State) tokenEntry(token, key string) string {
	return filepath.Join(s.Tokens(), s.tokenPrefix(token)+key)
}

// Job is the job of a key. It fails when key is none (26 characters of
// [a-z2-7]): a key becomes a directory name, so nothing else may pass.
func (s State) Job(key string) (Job, error) {
	if !validKey(key) {
		return Job{}, fmt.Errorf("%q is no key: a key has %d characters of a-z and 2-7", clip(key), keyLength)
	}
	return Job{Key: key, Dir: filepath.Join(s.Jobs(), key)}, nil
}

// JobAt is the job whose directory is dir.
func JobAt(dir string) (Job, error) {
	key := filepath.Base(dir)
	if !validKey(key) || !filepath.IsAbs(dir) {
		return Job{}, fmt.Errorf("%q is no job directory", clip(dir))
	}
	return Job{Key: key, Dir: dir}, nil
}

// Job names the files of one job. It is a value and safe to share.
type Job struct {
	Key string
	Dir string
}

// Meta and its neighbours are the files that the package comment lists.
func (j Job) Meta() string    { return filepath.Join(j.Dir, "meta.json") }
func (j Job) Lock() string    { return filepath.Join(j.Dir, "runner.lock") }
func (j Job) Started() string { return filepath.Join(j.Dir, "started") }
func (j Job) Cancel() string  { return filepath.Join(j.Dir, "cancel.json") }
func (j Job) Control() string { return filepath.Join(j.Dir, "control") }
func (j Job) Exit() string    { return filepath.Join(j.Dir, "exit.json") }
func (j Job) Logs() string    { return filepath.Join(j.Dir, "log") }
func (j Job) Output() string  { return filepath.Join(j.Dir, "output") }
func (j Job) Work() string    { return filepath.Join(j.Dir, "work") }

// record is a note of the flavor's own.
func (j Job) record(name string) string { return filepath.Join(j.Dir, "flavor-"+name+".json") }

// Stream is the log file of "stdout" or "stderr", Times the index of when its
// bytes were read, and Pipe the pipe that the step writes to.
func (j Job) Stream(name string) string { return filepath.Join(j.Logs(), name) }
func (j Job) Times(name string) string  { return filepath.Join(j.Logs(), name+".times") }
func (j Job) Pipe(name string) string   { return filepath.Join(j.Logs(), name+".pipe") }

func validKey(key string) bool {
	if len(key) != keyLength {
		return false
	}
	for _, c := range []byte(key) {
		if (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}

// clip bounds a foreign string in an error.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
