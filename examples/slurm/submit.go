package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stephost/stephost/pluginsdk"
)

// handle is version 1 of what the host stores.
type handle struct {
	Key string `json:"key"`
	Job string `json:"job"`
}

func handleOf(key, job string) pluginsdk.Handle {
	data, _ := json.Marshal(handle{Key: key, Job: job})
	return pluginsdk.Handle{Version: 1, Data: data, Key: key, NativeName: "job " + job}
}

func readHandle(c Config, h pluginsdk.Handle) (record, string, error) {
	var data handle
	if err := json.Unmarshal(h.Data, &data); err != nil {
		return record{}, "", fmt.Errorf("the handle is damaged: %w", err)
	}
	if _, err := strconv.ParseUint(data.Job, 10, 64); err != nil {
		return record{}, "", fmt.Errorf("the handle is damaged: %.40q is no number of a job", data.Job)
	}
	r, err := recordOf(c, data.Key)
	return r, data.Job, err
}

// Submit starts sbatch once.
//
// Crash cases: this process dies before sbatch is served (nothing exists, and
// Find says so once `settle` is over); it dies behind that (Find sees the name).
// sbatch gives up waiting for slurmctld: nobody knows, and the error says no
// more than that.
func (slurm) Submit(ctx context.Context, c Config, s *pluginsdk.Step) (pluginsdk.Handle, error) {
	r, err := recordOf(c, s.Key)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	q, err := build(c, r, s)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(err)
	}
	if len(s.Secrets) > 0 && !s.AllowVisibleSecrets {
		if err := secretsStaySecret(ctx); err != nil {
			return pluginsdk.Handle{}, pluginsdk.Rejected(err)
		}
	}
	now := meta{Token: s.Token, Run: s.RunID, Attempt: s.Attempt, Digest: s.RequestDigest, Created: time.Now().UTC()}
	held, existing, err := r.create(now)
	if err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Config("config.shared_dir", "the record cannot be written: %w", err))
	}
	if existing {
		if held.Digest != now.Digest || held.Token != now.Token {
			return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Config("", "the key belongs to another request: run %s, attempt %d", held.Run, held.Attempt))
		}
		// The same request again: its job may be there, and a second one must not.
		if h, found, err := held.again(ctx, r); err != nil || found {
			return h, err
		}
	}
	if err := os.MkdirAll(r.file("work"), 0o700); err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Config("config.shared_dir", "%w", err))
	}
	if err := os.WriteFile(r.file("batch.sh"), []byte(script), 0o700); err != nil {
		return pluginsdk.Handle{}, pluginsdk.Rejected(pluginsdk.Config("config.shared_dir", "%w", err))
	}
	out, err := run(ctx, submitLimit, q.environ(s), r.dir, "sbatch", q.arguments(r)...)
	if err != nil {
		return pluginsdk.Handle{}, refused(err)
	}
	// --parsable prints the job's number, and ";cluster" where there are several.
	job, _, _ := strings.Cut(strings.TrimSpace(out), ";")
	if _, err := strconv.ParseUint(job, 10, 64); err != nil {
		return pluginsdk.Handle{}, fmt.Errorf("sbatch answered %.80q, which is no number of a job", out)
	}
	if err := r.put("id", job); err != nil {
		pluginsdk.Logger(ctx).Warn("the job's number is not in its record; the name finds it", "job", job, "error", err)
	}
	return handleOf(r.key, job), nil
}

// again finds the job of a request that was submitted before.
func (m meta) again(ctx context.Context, r record) (h pluginsdk.Handle, found bool, err error) {
	jobs, err := findByKey(ctx, r)
	if err != nil || len(jobs) == 0 {
		return h, false, err
	}
	h = jobs[0].Handle
	h.Existing = true
	return h, true, nil
}

func (q *request) arguments(r record) []string {
	return slices.Concat(q.options, []string{r.file("batch.sh"), r.dir, q.work}, q.argv)
}

// environ is the environment of sbatch, which becomes that of the step.
func (q *request) environ(s *pluginsdk.Step) []string {
	all := maps.Clone(q.env)
	for name, value := range s.Secrets {
		all[name] = value.Reveal()
	}
	if conf, ok := os.LookupEnv("SLURM_CONF"); ok {
		all["SLURM_CONF"] = conf
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, name+"="+all[name])
	}
	return out
}

// refused sorts the errors of sbatch. Only what slurmctld itself refused, or
// what never reached it, is certain; everything else leaves it open.
func refused(err error) error {
	var c *commandError
	switch {
	case errors.As(err, &c) && !c.began:
		return pluginsdk.Rejected(couldNotAsk(err))
	case says(err, "connect failure", "Unable to establish configuration source"):
		return pluginsdk.Rejected(pluginsdk.Unreachable(err))
	case says(err, "Protocol authentication error"):
		return pluginsdk.Rejected(pluginsdk.Auth(err))
	case says(err, "QOSMaxSubmitJob", "AssocMaxSubmitJob", "job submit limit", "Slurm temporarily unable to accept job"):
		return pluginsdk.Rejected(pluginsdk.Capacity(err))
	case says(err, "Invalid partition"):
		return pluginsdk.Rejected(pluginsdk.Config("settings.partition", "%w", err))
	case says(err, "Invalid account"):
		return pluginsdk.Rejected(pluginsdk.Config("settings.account", "%w", err))
	case says(err, "Invalid qos"):
		return pluginsdk.Rejected(pluginsdk.Config("settings.qos", "%w", err))
	case says(err, "Invalid feature"):
		return pluginsdk.Rejected(pluginsdk.Config("settings.constraint", "%w", err))
	case says(err, "Invalid generic resource"):
		return pluginsdk.Rejected(pluginsdk.Config("resources.gpu", "%w", err))
	case says(err, "Memory specification", "Requested node configuration is not available", "More processors requested",
		"Requested time limit is invalid", "User's group not permitted", "Access/permission denied", "Job violates accounting/QOS policy"):
		return pluginsdk.Rejected(pluginsdk.Config("", "%w", err))
	}
	return pluginsdk.Unreachable(err)
}
