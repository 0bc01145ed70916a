//go:build unix

package fake

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/stephost/stephost/test/cloudfake"
)

// driver is one submission.
type driver struct {
	id      string
	request request
	created time.Time
	life    cloudfake.Life
	// killing is closed when it is to end.
	killing chan struct{}
	once    sync.Once

	// The rest is the master's to lock.
	state, exception string
	// placed: a worker was asked to start it.
	placed, forgotten bool
	starts            int
	cmd               *exec.Cmd
	gone              bool // the process was waited for
}

func (d *driver) ended() bool {
	return slices.Contains([]string{finished, failed, killed, broken}, d.state)
}

func (d *driver) end() { d.once.Do(func() { close(d.killing) }) }

// submit makes a driver. The lock is held.
func (m *master) submit(r request) *driver {
	d := &driver{id: fmt.Sprintf("driver-%s-%04d", time.Now().Format("20060102150405"), m.next), request: r, created: time.Now(),
		killing: make(chan struct{}), state: submitted}
	d.life = m.plan.LifeOf(d.id, r.Properties["spark.stephost.key"], r.Properties["spark.app.name"])
	m.next++
	m.drivers = append(m.drivers, d)
	m.lives.Go(func() { m.live(d) })
	return d
}

// live is the life of a driver.
func (m *master) live(d *driver) {
	wait := time.Duration(d.life.QueuedMS) * time.Millisecond
	if d.life.NoCapacity {
		wait = time.Hour // no test is so long
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.killing:
		m.over(d, killed, "")
		return
	case <-m.stop:
		return
	}
	m.mu.Lock()
	d.placed, d.state = true, running
	m.mu.Unlock()
	ended, err := m.start(d)
	if err != nil {
		m.over(d, broken, "Exception from the cluster:\njava.io.IOException: "+err.Error())
		return
	}
	wasKilled := m.attend(d, ended)
	switch {
	case d.cmd.ProcessState.ExitCode() == 0:
		m.over(d, finished, "")
	case wasKilled:
		m.over(d, killed, "")
	default:
		m.over(d, failed, "")
	}
}

// attend waits for the end of a driver's process, and ends it when it is to be
// killed. All that the driver has made ends with the fake alone.
func (m *master) attend(d *driver, ended <-chan struct{}) (wasKilled bool) {
	select {
	case <-ended:
		return false
	case <-m.stop:
		_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		return true
	case <-d.killing:
	}
	if !d.life.CancelNever {
		time.AfterFunc(time.Duration(d.life.CancelMS)*time.Millisecond, func() { _ = d.cmd.Process.Signal(syscall.SIGTERM) })
		patience := time.AfterFunc(time.Duration(d.life.CancelMS)*time.Millisecond+terminateMost, func() { _ = d.cmd.Process.Kill() })
		defer patience.Stop()
	}
	select {
	case <-ended:
	case <-m.stop:
		_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
		<-ended
	}
	return true
}

// over is the end of a driver, unless the master has lost it before.
func (m *master) over(d *driver, state, exception string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !d.ended() {
		d.state, d.exception = state, exception
	}
}

// program is what SparkSubmit would start: a Python program and its arguments.
func (r request) program() ([]string, error) {
	i := slices.IndexFunc(r.AppArgs, func(arg string) bool { return strings.HasSuffix(arg, ".py") })
	if i < 0 || *r.MainClass != "org.apache.spark.deploy.SparkSubmit" {
		return nil, fmt.Errorf("only Python programs can be run here: %s %q", *r.MainClass, r.AppArgs)
	}
	python := r.Environment["PYSPARK_DRIVER_PYTHON"]
	if python == "" {
		python = "python3"
	}
	return append([]string{python}, r.AppArgs[i:]...), nil
}
