//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// database starts a MariaDB and a slurmdbd, and returns the lines of slurm.conf
// that use them.
func (c *cluster) database() string {
	c.t.Helper()
	who, err := user.Current()
	c.must(err)
	data, socket := filepath.Join(c.dir, "db"), filepath.Join(c.dir, "db.sock")
	out, err := exec.Command("mariadb-install-db", "--no-defaults", "--user="+who.Username, "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db").CombinedOutput()
	if err != nil {
		c.t.Fatalf("mariadb-install-db: %v\n%s", err, out)
	}
	port, dbd := c.port(), c.port()
	c.start("mariadbd", "--no-defaults", "--user="+who.Username, "--datadir="+data, "--socket="+socket,
		fmt.Sprintf("--port=%d", port), "--bind-address=127.0.0.1", "--innodb-buffer-pool-size=64M", "--pid-file="+filepath.Join(c.dir, "db.pid"))
	const grant = "CREATE DATABASE IF NOT EXISTS acct; CREATE USER IF NOT EXISTS 'slurm'@'%' IDENTIFIED BY 'word'; GRANT ALL ON acct.* TO 'slurm'@'%';"
	c.wait("the database", func() bool {
		return exec.Command("mariadb", "--no-defaults", "--socket="+socket, "--user=root", "--execute="+grant).Run() == nil
	})
	text := fmt.Sprintf(`AuthType=auth/munge
AuthInfo=socket=%[1]s/munge
DbdHost=%[2]s
DbdAddr=127.0.0.1
DbdPort=%[3]d
SlurmUser=%[4]s
PidFile=%[1]s/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort=%[5]d
StorageUser=slurm
StoragePass=word
StorageLoc=acct
`, c.dir, c.node, dbd, who.Username, port)
	c.must(os.WriteFile(filepath.Join(c.dir, "slurmdbd.conf"), []byte(text), 0o600))
	return fmt.Sprintf(`AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort=%d
AccountingStoragePass=%s/munge
AccountingStoreFlags=job_comment`, dbd, c.dir)
}

// What slurmctld has forgotten and the record does not have, the accounts have.
func TestAccounts(t *testing.T) {
	needs(t, "munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "sacct", "sacctmgr", "slurmdbd", "mariadbd", "mariadb", "mariadb-install-db")
	c := newCluster(t)
	c.configure(c.database())
	c.start("slurmdbd", "-D")
	c.wait("slurmdbd", func() bool {
		return exec.Command("sacctmgr", "--immediate", "--noheader", "show", "cluster").Run() == nil
	})
	c.begin()
	h := newHarness(t)
	failed, cancelled := h.step("failed", "echo begun; exit 9"), h.step("cancelled", forever)
	failedHandle, job := h.job(failed)
	h.watch(failed.Key, failedHandle, nil)
	cancelledHandle, other := h.job(cancelled)
	h.running(c, cancelled.Key)
	c.command(h.ctx(), "scancel", other)
	h.watch(cancelled.Key, cancelledHandle, nil)
	accounted := func() {
		for _, id := range []string{job, other} {
			c.wait("the accounts of "+id, func() bool {
				out, err := exec.Command("sacct", "--noheader", "--parsable2", "--allocations", "--jobs="+id, "--format=End").Output()
				return err == nil && len(out) > 10
			})
		}
	}
	accounted()
	c.forget()
	accounted() // a slurmctld that begins anew registers with slurmdbd first
	h.must(os.RemoveAll(filepath.Join(h.shared, "jobs")))

	end := h.watch(failed.Key, failedHandle, nil)
	if end.Phase != operatorv1.Phase_PHASE_FAILED || end.Class != operatorv1.Class_CLASS_USER || end.GetExitCode() != 9 || end.NativeState != "FAILED" {
		t.Errorf("%v", end)
	}
	end = h.watch(cancelled.Key, cancelledHandle, nil)
	if end.Phase != operatorv1.Phase_PHASE_CANCELLED || end.NativeState != "CANCELLED" {
		t.Errorf("%v", end)
	}
	found, err := h.client.Find(h.ctx(), &operatorv1.FindRequest{Target: h.target, By: &operatorv1.FindRequest_Key{Key: failed.Key}})
	h.must(err)
	if len(found.GetJobs()) != 1 || found.GetJobs()[0].GetRunId() != "run-failed" || found.GetJobs()[0].GetPhase() != operatorv1.Phase_PHASE_FAILED {
		t.Errorf("%v", found)
	}
}
