package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/stephost/stephost/test/bench/internal/lab"
	"github.com/stephost/stephost/test/bench/internal/stats"
	"github.com/stephost/stephost/test/python/venvs"
)

const (
	// callGoal is what a remote call may take beyond the CLI's launch, in ms.
	callGoal = 50
	// importGoal is what `import stephost` may take, in ms.
	importGoal = 20
	// callRounds are interleaved rounds; one takes a quarter of a second.
	callRounds = 20
	// zenmlRounds of a pipeline; one takes some seconds.
	zenmlRounds = 3
	// pycallBound ends a script that hangs; a cold installation of ZenML is not in it.
	pycallBound = 10 * time.Minute
)

// benchPyCall measures a decorated function that runs on the local flavor beside a
// launch of the CLI, and a step of ZenML's that goes through stephost.
func benchPyCall(ctx context.Context, b *bench) error {
	all, err := venvs.Find(ctx)
	if err != nil {
		return err
	}
	newest := all[len(all)-1]
	dir, err := b.TempDir("v")
	if err != nil {
		return err
	}
	env, err := venvs.Fresh(ctx, newest, filepath.Join(dir, "venv"), nil)
	if err != nil {
		return err
	}
	got, err := b.script(ctx, env, "pycall.py", callRounds, "python")
	if err != nil {
		return err
	}
	over := stats.Differences(got["call"], got["cli"])
	b.addMS("`stephost launch -- python3 -c pass`, whole", got["cli"])
	b.addMS("`add.remote(2, 3)`, whole", got["call"])
	b.addGoal("a remote call beyond the launch", over, "ms", fmt.Sprintf("<= %d", callGoal), over.Median() <= callGoal)
	light := stats.Differences(got["import"], got["bare"])
	b.addGoal("`import stephost` beyond a bare Python", light, "ms", fmt.Sprintf("<= %d", importGoal), light.Median() <= importGoal)
	return b.zenmlStep(ctx, all, dir)
}

// zenmlStep measures the same with ZenML in between.
func (b *bench) zenmlStep(ctx context.Context, all []venvs.Python, dir string) error {
	var fits venvs.Python
	for _, p := range all {
		if p.Minor >= 10 && p.Minor <= 12 { // what the pins are made for
			fits = p
		}
	}
	if fits.Path == "" {
		return fmt.Errorf("ZenML needs one of Python 3.10 to 3.12; there are %v", all)
	}
	pinned, err := venvs.Pinned(ctx, fits, filepath.Join(b.Root, "test", "python", "pins", "zenml.txt"))
	if err != nil {
		return err
	}
	env, err := venvs.Fresh(ctx, fits, filepath.Join(dir, "zenml"), nil, pinned)
	if err != nil {
		return err
	}
	got, err := b.script(ctx, env, "zenml_step.py", zenmlRounds, "python", "integrations/zenml")
	if err != nil {
		return err
	}
	b.addMS("a pipeline of one step of ZenML's through stephost, whole", got["zenml"])
	b.addMS("of it: the step's process, which imports ZenML", got["process"])
	b.addMS("of it: stephost, from the launch to the verdict, without the process", got["launch"])
	own := stats.Differences(stats.Differences(got["zenml"], got["process"]), got["launch"])
	b.addMS("of it: ZenML's own", own)
	return nil
}

// script runs one of scripts/ with the packages of this checkout, and returns the
// samples that it prints.
func (b *bench) script(ctx context.Context, env venvs.Env, name string, rounds int, packages ...string) (map[string]stats.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, pycallBound)
	defer cancel()
	place, err := b.localPlace(ctx)
	if err != nil {
		return nil, err
	}
	for i, p := range packages {
		packages[i] = filepath.Join(b.Root, p)
	}
	var out bytes.Buffer
	_, err = b.Run(ctx, lab.Command{
		Argv: []string{env.Python, filepath.Join(b.Root, "test", "bench", "scripts", name), fmt.Sprint(rounds)},
		Dir:  place.Dir,
		Env: append(place.Env, "STEPHOST_PROGRAM="+b.Stephost, "PYTHONPATH="+strings.Join(packages, ":"),
			"PYTHONPYCACHEPREFIX="+filepath.Join(place.Dir, "pyc"), "ZENML_CONFIG_PATH="+filepath.Join(place.Dir, "zenml"),
			"ZENML_ANALYTICS_OPT_IN=false"),
		Read: func(r io.Reader) error { _, err := io.Copy(&out, r); return err },
	})
	if err != nil {
		return nil, err
	}
	var got map[string]stats.Sample
	// ZenML writes to standard output when it is imported; the last line is the script's.
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &got); err != nil {
		return nil, fmt.Errorf("%s printed %q: %w", name, out.String(), err)
	}
	return got, nil
}
