//go:build unix

package fake

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/stephost/stephost/test/cloudfake"
)

// worker is where drivers run.
type worker struct {
	id, address, dir string
	state            string // "ALIVE", "DEAD"
}

// java stands for the driver's Java: it starts the program as its child, both
// streams into its own standard output, and ends with its code. SIGTERM ends it at
// once, and leaves the child alone. (The brackets leave its own streams as they are.)
const java = `(exec "$@" 2>&1); exit $?`

// start starts a driver's process. ended is closed when it has ended, whoever still
// writes into its streams.
func (m *master) start(d *driver) (ended <-chan struct{}, err error) {
	program, err := d.request.program()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(m.worker.dir, d.id)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", java, "java"}, program...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+m.path)
	for name, value := range d.request.Environment {
		if name != "SPARK_LOCAL_IP" && name != "SPARK_LOCAL_HOSTNAME" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	header := fmt.Sprintf("Launch Command: \"java\" \"%s\"\n%s\n\n", strings.Join(d.request.AppArgs, `" "`), strings.Repeat("=", 40))
	m.mu.Lock()
	if m.quiet {
		header = ""
	}
	m.mu.Unlock()
	if err := os.WriteFile(filepath.Join(dir, "stderr"), []byte(header), 0o600); err != nil {
		return nil, err
	}
	stdout, err := copied(filepath.Join(dir, "stdout"))
	if err != nil {
		return nil, err
	}
	defer stdout.Close()
	stderr, err := copied(filepath.Join(dir, "stderr"))
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cloudfake.StartTied(cmd); err != nil {
		return nil, err
	}
	m.mu.Lock()
	d.starts++
	d.cmd = cmd
	m.mu.Unlock()
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its state tells
		m.mu.Lock()
		d.gone = true
		m.mu.Unlock()
		close(done)
	}()
	return done, nil
}

// copied is a pipe whose bytes go to the end of a file until nobody writes any more.
func copied(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		file.Close()
		return nil, err
	}
	go func() {
		defer file.Close()
		defer r.Close()
		_, _ = io.Copy(file, r)
	}()
	return w, nil
}
