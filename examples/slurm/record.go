package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stephost/stephost/pluginsdk"
)

// record is what lies in shared_dir about one attempt:
//
//	meta.json  the request's names, written before sbatch
//	id         Slurm's number of the job
//	stdout, stderr, output/
//	exit       the step's exit code
//	failed     why the step could not be begun
//	cancel     Slurm has taken a request to end the job
//	work/      the copy of the work directory
type record struct{ dir, key string }

// meta names what an attempt belongs to.
type meta struct {
	Token   string    `json:"token"`
	Run     string    `json:"run"`
	Attempt int       `json:"attempt"`
	Digest  string    `json:"digest"`
	Created time.Time `json:"created"`
}

var goodKey = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z2-7]{26}$`) })

func jobsDir(c Config) string { return filepath.Join(c.SharedDir, "jobs") }

// recordOf is the record of a key, which comes from a handle or from the host
// and becomes a part of a path.
func recordOf(c Config, key string) (record, error) {
	if !goodKey().MatchString(key) {
		return record{}, fmt.Errorf("%.40q is no key of an attempt", key)
	}
	return record{dir: filepath.Join(jobsDir(c), key), key: key}, nil
}

func (r record) file(name string) string { return filepath.Join(r.dir, name) }

// create makes the record of an attempt, or finds it.
func (r record) create(m meta) (held meta, existing bool, err error) {
	// 0700: log and outputs are the user's own, also on a shared file system.
	if err := os.MkdirAll(r.file("output"), 0o700); err != nil {
		return m, false, err
	}
	data, err := json.Marshal(m)
	if err != nil {
		return m, false, err
	}
	temp, err := os.CreateTemp(r.dir, ".meta-*")
	if err != nil {
		return m, false, err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(data)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return m, false, err
	}
	// A link, unlike a rename, fails when the name is taken, also on NFS.
	switch err := os.Link(temp.Name(), r.file("meta.json")); {
	case err == nil:
		return m, false, nil
	case !errors.Is(err, fs.ErrExist):
		return m, false, err
	}
	held, err = r.meta()
	return held, true, err
}

func (r record) meta() (m meta, err error) {
	data, err := os.ReadFile(r.file("meta.json"))
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	return m, err
}

// text is a small file of the record without its newline; "" = not there.
func (r record) text(name string) (string, error) {
	data, err := os.ReadFile(r.file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(data)), err
}

func (r record) has(name string) bool {
	_, err := os.Stat(r.file(name))
	return err == nil
}

// put writes a small file, whole or not at all.
func (r record) put(name, text string) error {
	part := r.file(name + ".part")
	if err := os.WriteFile(part, []byte(text+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(part, r.file(name))
}

// exit is the step's exit code; ok = false when it has written none.
func (r record) exit() (code int, ok bool, err error) {
	text, err := r.text("exit")
	if err != nil || text == "" {
		return 0, false, err
	}
	code, err = strconv.Atoi(text)
	return code, err == nil, err
}

// maxOutputs bounds the list: a step may leave a million files.
const maxOutputs = 1000

// outputs are the files that the step left; beyond maxOutputs, the directory.
func (r record) outputs() []pluginsdk.Output {
	root, found := r.file("output"), []pluginsdk.Output(nil)
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil
		}
		if len(found) == maxOutputs {
			found = []pluginsdk.Output{{Name: ".", Location: root, Bytes: -1}}
			return fs.SkipAll
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return nil
		}
		size := int64(-1)
		if info, err := d.Info(); err == nil {
			size = info.Size()
		}
		found = append(found, pluginsdk.Output{Name: filepath.ToSlash(name), Location: path, Bytes: size})
		return nil
	})
	return found
}
