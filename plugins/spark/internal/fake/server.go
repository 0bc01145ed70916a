//go:build unix

package fake

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"github.com/stephost/stephost/test/cloudfake"
)

const (
	// version is that of the Spark that this stands for.
	version = "4.1.4"
	// terminateMost is how long a driver may take to end itself when it is killed
	// (spark.worker.driverTerminateTimeout).
	terminateMost = 10 * time.Second
)

// States of a driver (master.DriverState) and of the master (master.RecoveryState)
// that are used here.
const (
	submitted = "SUBMITTED"
	running   = "RUNNING"
	finished  = "FINISHED"
	failed    = "FAILED"
	killed    = "KILLED"
	broken    = "ERROR"

	alive = "ALIVE"
)

// master is the whole fake.
type master struct {
	dir, path string
	plan      cloudfake.Plan
	ui        string // address of the master's web UI
	worker    worker
	lives     sync.WaitGroup
	stop      chan struct{}

	mu      sync.Mutex
	state   string // "ALIVE", "STANDBY"
	quiet   bool   // no launch command stands before what a driver prints
	drivers []*driver
	next    int
}

// Open starts the web UIs and returns the REST API as a service of package
// cloudfake. path is the PATH of the worker.
func Open(dir, path string) (*cloudfake.Service, error) {
	m := &master{dir: dir, path: path, stop: make(chan struct{}), state: alive}
	ui, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, ui.Close())
	}
	m.ui = "http://" + ui.Addr().String()
	m.worker = worker{id: "worker-20260101000000-" + l.Addr().String(), address: l.Addr().String(), dir: filepath.Join(dir, "worker"), state: alive}
	masterUI, workerUI := &http.Server{Handler: m.pages()}, &http.Server{Handler: m.workerPages()}
	go func() { _ = masterUI.Serve(ui) }()
	go func() { _ = workerUI.Serve(l) }()
	return &cloudfake.Service{
		Handler:   m.rest(),
		Admin:     &cloudfake.Admin{Plan: &m.plan, Jobs: m.jobs, Delete: m.forget, Set: m.set},
		Endpoints: map[string]string{"ui": m.ui, "worker": "http://" + l.Addr().String()},
		Close: func() error {
			close(m.stop)
			m.lives.Wait()
			return errors.Join(masterUI.Close(), workerUI.Close())
		},
	}, nil
}

// set is Admin.Set.
func (m *master) set(name, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch name {
	case "state": // of the master: ALIVE, STANDBY, RECOVERING
		m.state = value
	case "quiet":
		m.quiet = value == "true"
	case "worker": // DEAD: the master has lost it, with all that runs there
		m.worker.state = value
		for _, d := range m.drivers {
			if value != alive && d.state == running {
				d.state = broken
			}
		}
	default:
		return fmt.Errorf("there is no %q", name)
	}
	return nil
}

// jobs is Admin.Jobs.
func (m *master) jobs() []cloudfake.Job {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]cloudfake.Job, 0, len(m.drivers))
	for _, d := range m.drivers {
		j := cloudfake.Job{Name: d.id, Key: d.request.Properties["spark.stephost.key"], State: d.state, Over: d.ended(), Starts: d.starts}
		j.Request, _ = json.Marshal(d.request) // strings always can be marshalled
		if d.cmd != nil && !d.gone {
			j.PIDs = []int{d.cmd.Process.Pid}
		}
		out = append(out, j)
	}
	return out
}

// forget is Admin.Delete: the master has too many ended drivers, or was restarted
// without recovery. What runs runs on.
func (m *master) forget(id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.find(id)
	if d == nil {
		return fmt.Errorf("there is no driver %q", id)
	}
	d.forgotten = true
	return nil
}

// find looks for a driver that is not forgotten. The lock is held.
func (m *master) find(id string) *driver {
	for _, d := range m.drivers {
		if d.id == id && !d.forgotten {
			return d
		}
	}
	return nil
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json;charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a caller that went away needs no answer
}
