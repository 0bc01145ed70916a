package main

import (
	"context"
	"fmt"
	"io"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// Prepare makes what the driver and its executors need and Spark does not bring
// along itself: the program that stands for a command, and the step's source and
// packages for other machines. All of it is made whole or not at all.
func (f *spark) Prepare(ctx context.Context, c Config, s *pluginsdk.Step, progress func(string)) (pluginsdk.Prepared, error) {
	if c.onKubernetes() {
		return pluginsdk.Prepared{}, f.sameCluster(ctx, c) // all of it is in the Job
	}
	state, err := f.state(c)
	if err != nil {
		return pluginsdk.Prepared{}, err
	}
	job, err := state.Job(s.Key)
	if err != nil {
		return pluginsdk.Prepared{}, err
	}
	b, err := f.build(c, job, s)
	if err != nil {
		return pluginsdk.Prepared{}, err
	}
	return pluginsdk.Prepared{}, f.stage(ctx, c, b, job, s, progress)
}

// stage makes the files of a job that are not there yet.
func (f *spark) stage(ctx context.Context, c Config, b *built, job jobdir.Job, s *pluginsdk.Step, progress func(string)) error {
	if b.request != nil {
		return f.stageCluster(ctx, c, b, job, s, progress)
	}
	to := shipped{job: job}
	if b.app.jar == "" {
		if err := write(to.driver(), content(driverProgram)); err != nil {
			return err
		}
	}
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return err
	}
	if c.isLocal() || !set.ShipEnvironment {
		return nil
	}
	if d := s.Environment.Directory; d != nil {
		progress("packing the step's source for the executors")
		if err := write(to.source(), packSource(ctx, d.Path)); err != nil {
			return fmt.Errorf("packing the step's source: %w", err)
		}
		if d.Venv != "" {
			progress("packing the step's packages for the executors")
			if err := write(to.packages(), packVenv(ctx, d.Venv)); err != nil {
				return fmt.Errorf("packing the step's packages: %w", err)
			}
		}
	}
	return nil
}

func content(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}
