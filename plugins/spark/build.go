package main

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/stephost/stephost/plugins/spark/internal/standalone"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

// built is what Submit sends, and what Plan shows.
type built struct {
	app        application
	properties map[string]string
	amounts    amounts
	// plain is the environment without secrets, env with them, secret the names of
	// those.
	plain       map[string]string
	env, secret []string
	dir, python string
	// argv is spark-submit's command line (client mode).
	argv []string
	// request is what the REST API gets (cluster mode), without secrets.
	request *standalone.Request
	notes   []string
}

func (b *built) note(format string, args ...any) {
	b.notes = append(b.notes, fmt.Sprintf(format, args...))
}

// sparkVariables are those of the launching machine that Spark itself reads.
func sparkVariables() []string {
	return []string{"SPARK_CONF_DIR", "SPARK_LOCAL_DIRS", "SPARK_LOCAL_IP", "SPARK_PUBLIC_DNS", "SPARK_LAUNCHER_OPTS",
		"HADOOP_CONF_DIR", "YARN_CONF_DIR", "HADOOP_HOME", "LD_LIBRARY_PATH"}
}

// build makes the request of a step. It reads the machine and changes nothing.
// Errors are what a person wrote (class config) and mean that nothing exists.
func (f *spark) build(c Config, job jobdir.Job, s *pluginsdk.Step) (*built, error) {
	var set Settings
	if err := s.DecodeSettings(&set); err != nil {
		return nil, err
	}
	if err := pluginsdk.CheckTexts(s); err != nil {
		return nil, err
	}
	inCluster := set.DeployMode == cluster
	b := &built{dir: job.Work()}
	var err error
	if b.amounts, err = amountsOf(b, c, s.Resources, set); err != nil {
		return nil, err
	}
	venv := ""
	if d := s.Environment.Directory; d != nil {
		if d.Path != "" {
			b.dir = d.Path
		}
		venv = d.Venv
	}
	b.python = f.pythonOf(s)
	if inCluster {
		b.python = clusterPython(c, job, venv)
	}
	if b.app, err = applicationOf(s.Argv, b.python, inCluster); err != nil {
		return nil, err
	}
	if set.MainClass != "" && b.app.jar == "" {
		return nil, pluginsdk.Config("settings.main_class", "the command is no jar, and only a jar has a main class")
	}
	b.properties = properties(b, c, s, set, b.amounts)
	if inCluster {
		return b, f.buildCluster(b, c, job, s, set)
	}
	return b, f.buildClient(b, c, job, s, set, venv)
}

// buildClient makes the command line of spark-submit and its environment.
func (f *spark) buildClient(b *built, c Config, job jobdir.Job, s *pluginsdk.Step, set Settings, venv string) error {
	home, from, err := f.home(c, venv)
	if err != nil {
		if s.Environment.Raw == nil || c.SparkHome != "" || f.getenv("SPARK_HOME") != "" {
			return err
		}
		// Nothing is prepared yet: a plan, or the look at a step before its launch.
		home, from = pluginsdk.KnownAtLaunch("the pyspark of the step's requirements"), "the step's requirements"
	}
	if _, err := f.java(c); err != nil {
		return err
	}
	b.note("Spark %s in %s (%s)", cmp.Or(sparkVersion(home), "of an unknown version"), home, from)

	executorPython, pyFiles, archives := b.python, set.PyFiles, set.Archives
	if !c.isLocal() && set.ShipEnvironment {
		to := shipped{job: job}
		pyFiles = append([]string{to.source()}, pyFiles...)
		if venv != "" {
			archives = append([]string{to.packages() + "#" + packagesName}, archives...)
			executorPython = "./" + packagesName + "/bin/python"
		}
	}

	b.plain = detached.Environment(f.environ(), append(sparkVariables(), c.InheritEnv...), job, s, venv)
	b.plain["SPARK_HOME"] = home
	if c.JavaHome != "" {
		b.plain["JAVA_HOME"] = c.JavaHome
	} else if java := f.getenv("JAVA_HOME"); java != "" {
		b.plain["JAVA_HOME"] = java
	}
	b.plain["PYSPARK_DRIVER_PYTHON"], b.plain["PYSPARK_PYTHON"] = b.python, executorPython
	b.env, b.secret = detached.WithSecrets(b.plain, s.Secrets)

	b.argv = append([]string{filepath.Join(home, "bin", "spark-submit"), "--master", b.amounts.master, "--deploy-mode", "client", "--name", appName(s)},
		options(b, set, b.dir, pyFiles, archives)...)
	if b.app.jar != "" {
		b.argv = append(append(b.argv, joined([]string{b.app.jar}, b.dir)), b.app.argv...)
	} else {
		b.argv = append(b.argv, shipped{job: job}.driver(), encoded{Argv: b.app.argv}.String())
	}
	return nil
}

// options are those of spark-submit that every master takes. Relative paths lie
// below dir; "" = spark-submit's own directory.
func options(b *built, set Settings, dir string, pyFiles, archives []string) []string {
	var argv []string
	option := func(name, value string) {
		if value != "" {
			argv = append(argv, name, value)
		}
	}
	option("--driver-memory", b.amounts.driverMemory)
	option("--packages", joined(set.Packages, ""))
	option("--exclude-packages", joined(set.ExcludePackages, ""))
	option("--repositories", joined(set.Repositories, ""))
	option("--jars", joined(set.Jars, dir))
	option("--py-files", joined(pyFiles, dir))
	option("--files", joined(set.Files, dir))
	option("--archives", joined(archives, dir))
	option("--class", set.MainClass)
	for _, name := range slices.Sorted(maps.Keys(b.properties)) {
		argv = append(argv, "--conf", name+"="+b.properties[name])
	}
	return argv
}

// appName is what Spark's UIs show, where the code names nothing itself.
func appName(s *pluginsdk.Step) string {
	name := s.Name
	if s.Pipeline != "" {
		name = s.Pipeline + "/" + name
	}
	if name == "" {
		return s.Key
	}
	return plainText(name) + " " + s.Key
}

// plainText is a name that passes Spark's scripts in every locale.
func plainText(s string) string {
	return string(slices.Collect(func(yield func(rune) bool) {
		for _, c := range s {
			if c < ' ' || c >= 0x7f {
				c = '_'
			}
			if !yield(c) {
				return
			}
		}
	}))
}
