package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
)

// Scope is the cluster, the user whose jobs they are, and the directory of the
// records.
func (slurm) Scope(ctx context.Context, c Config) (pluginsdk.Scope, error) {
	settings, err := clusterSettings(ctx)
	if err != nil {
		return pluginsdk.Scope{}, err
	}
	who, err := user.Current()
	if err != nil {
		return pluginsdk.Scope{}, pluginsdk.Unreachable(err)
	}
	name, host := settings["ClusterName"], settings["SlurmctldHost[0]"]
	if name == "" {
		return pluginsdk.Scope{}, pluginsdk.Unreachable(errors.New("scontrol names no cluster"))
	}
	// Many clusters are called "cluster": the controller's host tells them apart.
	return pluginsdk.Scope{
		ID:      strings.Join([]string{"slurm", name, host, who.Uid, filepath.Clean(c.SharedDir)}, ":"),
		Display: fmt.Sprintf("Slurm cluster %s (%s), user %s, %s", name, host, who.Username, c.SharedDir),
	}, nil
}

// clusterSettings is the configuration as slurmctld has it.
func clusterSettings(ctx context.Context) (map[string]string, error) {
	out, err := ask(ctx, "scontrol", "show", "config")
	if err != nil {
		return nil, couldNotAsk(err)
	}
	settings := map[string]string{}
	for line := range strings.Lines(out) {
		if name, value, ok := strings.Cut(line, "="); ok {
			settings[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return settings, nil
}

// secretsStaySecret refuses a cluster that keeps every job's environment in its
// accounts, where operators and coordinators read it.
func secretsStaySecret(ctx context.Context) error {
	settings, err := clusterSettings(ctx)
	if err != nil {
		return err
	}
	if strings.Contains(strings.ToLower(settings["AccountingStoreFlags"]), "job_env") {
		return pluginsdk.Config("secrets", "this cluster keeps the environment of jobs in its accounts (AccountingStoreFlags has job_env); if that is all right, write allow_visible_secrets = true")
	}
	return nil
}

// Validate refuses what no cluster could be asked for. It asks nobody.
func (slurm) Validate(_ context.Context, c Config, s *pluginsdk.Step) error {
	if s == nil {
		return nil
	}
	r, err := recordOf(c, placeholderKey)
	if err != nil {
		return err
	}
	_, err = build(c, r, s)
	return err
}

// Preflight looks whether the cluster answers and shared_dir can be written.
func (f slurm) Preflight(ctx context.Context, c Config, _ *pluginsdk.Step) error {
	var found []error
	if _, err := f.Scope(ctx, c); err != nil {
		found = append(found, err)
	}
	if err := os.MkdirAll(jobsDir(c), 0o700); err != nil {
		found = append(found, pluginsdk.Config("config.shared_dir", "%w", err))
	} else if probe, err := os.CreateTemp(jobsDir(c), ".probe-*"); err != nil {
		found = append(found, pluginsdk.Config("config.shared_dir", "%w", err))
	} else {
		_, _ = probe.Close(), os.Remove(probe.Name())
	}
	return errors.Join(found...)
}
