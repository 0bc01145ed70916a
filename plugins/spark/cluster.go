package main

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/stephost/stephost/plugins/spark/internal/standalone"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// submitClass is the main class of a driver: the REST API has none for Python, and
// Spark's documentation starts its own example so ("REST API", pi.py).
const submitClass = "org.apache.spark.deploy.SparkSubmit"

// shared is the part of a job that driver and launcher both see.
type shared struct{ dir, key string }

func (p shared) staged() string    { return filepath.Join(p.dir, "jobs", p.key) }
func (p shared) work() string      { return filepath.Join(p.staged(), "work") }
func (p shared) driver() string    { return filepath.Join(p.staged(), "driver.py") }
func (p shared) lookAfter() string { return filepath.Join(p.staged(), "lookafter.py") }
func (p shared) source() string    { return filepath.Join(p.staged(), "source.zip") }
func (p shared) outputs() string   { return filepath.Join(p.dir, "outputs", p.key) }

// venv is the copy of a virtual environment. The host names one by its content, so
// jobs share it.
func (p shared) venv(of string) string { return filepath.Join(p.dir, "venvs", filepath.Base(of)) }

// buildCluster makes the request to the REST API. The driver's process on the
// worker is SparkSubmit in client mode, so it takes the same options as here.
func (f *spark) buildCluster(b *built, c Config, job jobdir.Job, s *pluginsdk.Step, set Settings) error {
	if len(s.Secrets) > 0 && !s.AllowVisibleSecrets {
		return pluginsdk.Config("secrets", "in cluster mode master and workers are shown the driver's environment: write allow_visible_secrets = true, or use deploy_mode = \"client\"")
	}
	place := shared{dir: c.SharedDir, key: job.Key}
	b.dir = place.work()
	b.plain = maps.Clone(s.Env)
	if b.plain == nil {
		b.plain = map[string]string{}
	}
	b.plain["PYSPARK_PYTHON"], b.plain["PYSPARK_DRIVER_PYTHON"] = b.python, b.python
	b.plain["STEPHOST_RUN"], b.plain["STEPHOST_ATTEMPT"] = s.RunID, strconv.Itoa(s.Attempt)
	b.plain["STEPHOST_OUTPUT_DIR"] = place.outputs()
	b.plain["SPARK_ENV_LOADED"] = "1" // as in the documentation's example
	b.env, b.secret = detached.WithSecrets(b.plain, s.Secrets)

	pyFiles := set.PyFiles
	if set.ShipEnvironment {
		pyFiles = append([]string{place.source()}, pyFiles...)
	}
	args := []string{"--master", c.Master, "--deploy-mode", "client", "--name", appName(s)}
	option := func(name, value string) {
		if value != "" {
			args = append(args, name, value)
		}
	}
	option("--packages", joined(set.Packages, ""))
	option("--exclude-packages", joined(set.ExcludePackages, ""))
	option("--repositories", joined(set.Repositories, ""))
	option("--jars", joined(set.Jars, b.dir))
	option("--py-files", joined(pyFiles, b.dir))
	option("--files", joined(set.Files, b.dir))
	option("--archives", joined(set.Archives, b.dir))
	option("--class", set.MainClass)
	for _, name := range slices.Sorted(maps.Keys(b.properties)) {
		args = append(args, "--conf", name+"="+b.properties[name])
	}
	if b.app.jar != "" {
		args = append(append(args, joined([]string{b.app.jar}, b.dir)), b.app.argv...)
	} else {
		args = append(args, place.driver(), encoded{Argv: b.app.argv, Dir: b.dir, Parent: true}.String())
	}

	properties := maps.Clone(b.properties)
	properties["spark.app.name"] = appName(s)
	properties["spark.master"] = c.Master
	properties["spark.submit.deployMode"] = cluster
	properties["spark.driver.supervise"] = "false"
	if b.amounts.driverMemory != "" {
		properties["spark.driver.memory"] = b.amounts.driverMemory
	}
	b.request = &standalone.Request{
		Action: "CreateSubmissionRequest", MainClass: submitClass, AppArgs: args,
		// The master asks for one and does not look at it.
		SparkVersion: "4.1.4", Properties: properties, EnvironmentOf: b.plain,
	}
	b.note("the driver runs on a worker of %s; its environment is that worker's and what stands here", c.Master)
	return nil
}

// clusterPython is the driver's and the executors' Python: that of the copied
// environment, else that of the worker's PATH; this machine's may be elsewhere.
func clusterPython(c Config, job jobdir.Job, venv string) string {
	if venv == "" {
		return "python3"
	}
	return filepath.Join(shared{dir: c.SharedDir, key: job.Key}.venv(venv), "bin", "python")
}

// stageCluster puts what the driver needs where the workers see it.
func (f *spark) stageCluster(ctx context.Context, c Config, b *built, job jobdir.Job, s *pluginsdk.Step, progress func(string)) error {
	place := shared{dir: c.SharedDir, key: job.Key}
	for path, program := range map[string][]byte{place.driver(): driverProgram, place.lookAfter(): lookAfterProgram} {
		if err := write(path, content(program)); err != nil {
			return pluginsdk.Config("config.shared_dir", "shared_dir cannot be written: %w", err)
		}
	}
	from, venv := "", ""
	if d := s.Environment.Directory; d != nil {
		from, venv = d.Path, d.Venv
	}
	if from == "" {
		// No source: an empty directory all the same.
		return makeDirs(place.work(), place.outputs())
	}
	progress("copying the step's source to " + c.SharedDir)
	if err := copyTree(ctx, from, place.work(), nil); err != nil {
		return fmt.Errorf("copying the step's source to shared_dir: %w", err)
	}
	if strings.Contains(strings.Join(b.request.AppArgs, "\x00"), place.source()) {
		if err := write(place.source(), packSource(ctx, from)); err != nil {
			return fmt.Errorf("packing the step's source: %w", err)
		}
	}
	if venv != "" {
		progress("copying the step's packages to " + c.SharedDir)
		if err := copyTree(ctx, venv, place.venv(venv), isPyspark); err != nil {
			return fmt.Errorf("copying the step's packages to shared_dir: %w", err)
		}
	}
	return makeDirs(place.outputs())
}
