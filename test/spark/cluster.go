//go:build unix

package spark

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	// startBound is for a cluster on a machine under load.
	startBound = 3 * time.Minute
	// stopGrace is what a daemon gets to end its executors.
	stopGrace = 10 * time.Second
	// look is the pace of looking.
	look = 100 * time.Millisecond
)

// Cluster is a standalone master with workers of two cores and 1 GiB each.
type Cluster struct {
	// Master is its address (spark://...), UI and REST those of its web UI and its
	// REST API.
	Master, UI, REST string
	// Workers are the processes of the workers, Logs what all of them print.
	Workers []*exec.Cmd
	Logs    string

	daemons []*exec.Cmd
	ended   []chan struct{}
}

// Start starts a cluster below dir and waits until its workers have registered.
// more are further properties of the daemons.
func Start(ctx context.Context, i Install, dir string, workers int, more ...string) (*Cluster, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		Master: fmt.Sprintf("spark://127.0.0.1:%d", ports[0]),
		UI:     fmt.Sprintf("http://127.0.0.1:%d", ports[1]),
		REST:   fmt.Sprintf("http://127.0.0.1:%d", ports[2]),
		Logs:   filepath.Join(dir, "daemons.log"),
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	properties := fmt.Sprintf("spark.master.rest.enabled true\nspark.master.rest.host 127.0.0.1\nspark.master.rest.port %d\nspark.worker.timeout 600\n", ports[2])
	for _, line := range more {
		properties += line + "\n"
	}
	file := filepath.Join(dir, "daemons.conf")
	if err := os.WriteFile(file, []byte(properties), 0o600); err != nil {
		return nil, err
	}
	err = c.daemon(i, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", strconv.Itoa(ports[0]),
		"--webui-port", strconv.Itoa(ports[1]), "--properties-file", file)
	for n := range workers {
		if err != nil {
			break
		}
		err = c.daemon(i, "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--webui-port", "0", "--cores", "2", "--memory", "1g",
			"--work-dir", filepath.Join(dir, fmt.Sprintf("worker%d", n)), "--properties-file", file, c.Master)
		if err == nil {
			c.Workers = append(c.Workers, c.daemons[len(c.daemons)-1])
		}
	}
	if err == nil {
		err = c.ready(ctx, workers)
	}
	if err != nil {
		text, _ := os.ReadFile(c.Logs)
		return nil, errors.Join(err, c.Stop(), fmt.Errorf("the daemons printed:\n%s", text))
	}
	return c, nil
}

func (c *Cluster) daemon(i Install, args ...string) error {
	log, err := os.OpenFile(c.Logs, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(i.Home, "bin", "spark-class"), args...)
	cmd.Env = append(i.Environ(), "SPARK_DAEMON_MEMORY=256m", "SPARK_DAEMON_JAVA_OPTS="+Lean, "LC_ALL=C.UTF-8")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	c.daemons, c.ended = append(c.daemons, cmd), append(c.ended, ended)
	return nil
}

// ready waits for the workers.
func (c *Cluster) ready(ctx context.Context, workers int) error {
	ctx, cancel := context.WithTimeout(ctx, startBound)
	defer cancel()
	for {
		alive, err := c.alive(ctx)
		if err == nil && alive == workers {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the cluster has %d of %d workers: %w", alive, workers, errors.Join(ctx.Err(), err))
		case <-time.After(look):
		}
	}
}

func (c *Cluster) alive(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.UI+"/json/", nil)
	if err != nil {
		return 0, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var told struct {
		Alive int `json:"aliveworkers"`
	}
	return told.Alive, json.NewDecoder(resp.Body).Decode(&told)
}

// Stop ends the cluster and everything that it runs.
func (c *Cluster) Stop() error {
	var errs []error
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		deadline := time.After(stopGrace)
		for n, d := range c.daemons {
			// ESRCH: the whole group is gone.
			if err := syscall.Kill(-d.Process.Pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				errs = append(errs, err)
			}
			if sig == syscall.SIGKILL {
				<-c.ended[n]
			}
		}
		for _, ended := range c.ended {
			select {
			case <-ended:
			case <-deadline:
				deadline = time.After(0)
			}
		}
	}
	return errors.Join(errs...)
}

// freePorts are ports that nobody listens on just now.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
