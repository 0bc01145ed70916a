//go:build linux

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hang is longer than anything here takes, on any machine.
const hang = 3 * time.Minute

// cluster is a real Slurm of one machine: munged, slurmctld and slurmd of this
// system's packages, with a configuration and a key of their own.
type cluster struct {
	t    *testing.T
	dir  string
	node string
	// controller is slurmctld, which a test may start anew.
	controller *exec.Cmd
	daemons    []string
}

// startCluster starts a cluster and points SLURM_CONF at it.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	needs(t, "munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
	c := newCluster(t)
	c.configure(c.accountingOff())
	c.begin()
	return c
}

// needs skips the test where one of the programs is missing, and fails it where
// CI says that they must be there.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			text := fmt.Sprintf("NOT TESTED: %s is not here. Install Debian's packages slurmctld, slurmd, slurm-client, munge, slurmdbd and mariadb-server, so that this runs on a real Slurm", program)
			if os.Getenv("CI") == "true" {
				t.Fatal(text)
			}
			t.Skip(text)
		}
	}
}

// newCluster makes the directory and the key, and starts munged.
func newCluster(t *testing.T) *cluster {
	// Sockets have short paths, so the directory of the test's name is no place.
	dir, err := os.MkdirTemp("", "slurm-")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, dir: dir}
	t.Cleanup(func() {
		if t.Failed() {
			for _, name := range c.daemons {
				data, _ := os.ReadFile(filepath.Join(dir, name+".out"))
				t.Logf("end of %s:\n%s", name, data[max(0, len(data)-2000):])
			}
		}
		os.RemoveAll(dir)
	})
	c.node, err = os.Hostname()
	c.must(err)
	c.node, _, _ = strings.Cut(c.node, ".")
	key := make([]byte, 1024)
	_, _ = rand.Read(key)
	c.must(os.WriteFile(filepath.Join(dir, "munge.key"), key, 0o400))
	for _, name := range []string{"state", "spool"} {
		c.must(os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	t.Setenv("SLURM_CONF", filepath.Join(dir, "slurm.conf"))
	c.start("munged", "--foreground", "--force", "--key-file="+filepath.Join(dir, "munge.key"), "--socket="+filepath.Join(dir, "munge"),
		"--pid-file="+filepath.Join(dir, "munge.pid"), "--log-file="+filepath.Join(dir, "munge.log"), "--seed-file="+filepath.Join(dir, "munge.seed"))
	c.wait("munged", func() bool { _, err := os.Stat(filepath.Join(dir, "munge")); return err == nil })
	return c
}

// begin starts controller and node.
func (c *cluster) begin() {
	c.t.Helper()
	conf := filepath.Join(c.dir, "slurm.conf")
	c.controller = c.start("slurmctld", "-D", "-i", "-f", conf)
	c.start("slurmd", "-D", "-f", conf, "-N", c.node)
	c.idle()
}

// idle waits until the node takes jobs.
func (c *cluster) idle() {
	c.wait("the node", func() bool {
		out, err := exec.Command("sinfo", "--noheader", "--partition=main", "--format=%T").Output()
		return err == nil && (strings.TrimSpace(string(out)) == "idle" || strings.TrimSpace(string(out)) == "mixed")
	})
}

func (c *cluster) accountingOff() string { return "AccountingStorageType=accounting_storage/none" }

func (c *cluster) configure(accounting string) {
	c.t.Helper()
	who, err := user.Current()
	c.must(err)
	text := fmt.Sprintf(`ClusterName=test
SlurmctldHost=%[1]s(127.0.0.1)
SlurmctldPort=%[2]d
SlurmdPort=%[3]d
SlurmUser=%[4]s
SlurmdUser=%[4]s
AuthType=auth/munge
AuthInfo=socket=%[5]s/munge
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
%[6]s
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=10
PreemptType=preempt/partition_prio
PreemptMode=CANCEL
ReturnToService=2
KillWait=2
StateSaveLocation=%[5]s/state
SlurmdSpoolDir=%[5]s/spool
SlurmctldPidFile=%[5]s/slurmctld.pid
SlurmdPidFile=%[5]s/slurmd.pid
SlurmctldLogFile=%[5]s/slurmctld.log
SlurmdLogFile=%[5]s/slurmd.log
NodeName=%[1]s NodeAddr=127.0.0.1 CPUs=16 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=%[1]s Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=urgent Nodes=%[1]s MaxTime=INFINITE State=UP PriorityTier=10
`, c.node, c.port(), c.port(), who.Username, c.dir, accounting)
	c.must(os.WriteFile(filepath.Join(c.dir, "slurm.conf"), []byte(text), 0o644))
}

// port is a port that was free just now.
func (c *cluster) port() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	c.must(err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// start starts a daemon that ends with the test.
func (c *cluster) start(name string, args ...string) *exec.Cmd {
	c.t.Helper()
	out, err := os.Create(filepath.Join(c.dir, name+".out"))
	c.must(err)
	defer out.Close()
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = out, out
	c.must(cmd.Start())
	c.t.Cleanup(func() { c.stop(cmd) })
	c.daemons = append(c.daemons, name)
	return cmd
}

// stop ends a daemon; once is enough.
func (c *cluster) stop(cmd *exec.Cmd) {
	if cmd.ProcessState != nil {
		return
	}
	_ = cmd.Process.Signal(os.Interrupt)
	hard := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	_ = cmd.Wait()
	hard.Stop()
}

// forget starts a slurmctld that knows nothing of earlier jobs.
func (c *cluster) forget() {
	c.stop(c.controller)
	c.controller = c.start("slurmctld", "-D", "-c", "-i", "-f", filepath.Join(c.dir, "slurm.conf"))
	c.idle()
}

func (c *cluster) wait(what string, is func() bool) {
	c.t.Helper()
	for end := time.Now().Add(hang); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("waited too long for %s", what)
		}
	}
}

// command runs a command of Slurm's behind the flavor's back.
func (c *cluster) command(ctx context.Context, name string, args ...string) string {
	c.t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("%s %q: %v: %s", name, args, err, stderr.String())
	}
	return string(out)
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}
