package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/stephost/stephost/pluginsdk"
)

// home finds Spark: the config, SPARK_HOME, the pyspark of the step's virtual
// environment, PATH. from says which.
func (f *spark) home(c Config, venv string) (dir, from string, err error) {
	switch env := f.getenv("SPARK_HOME"); {
	case c.SparkHome != "":
		dir, from = c.SparkHome, "spark_home"
	case env != "":
		dir, from = env, "SPARK_HOME"
	}
	if dir != "" {
		if !isHome(dir) {
			return "", "", pluginsdk.Config("config.spark_home", "%s (%s) holds no bin/spark-submit", dir, from)
		}
		return dir, from, nil
	}
	if venv != "" {
		if found, _ := filepath.Glob(filepath.Join(venv, "lib*", "python3*", "site-packages", "pyspark")); len(found) > 0 && isHome(found[0]) {
			return found[0], "the step's requirements", nil
		}
	}
	if dir := f.homeInPath(); dir != "" {
		return dir, "PATH", nil
	}
	return "", "", pluginsdk.Config("config.spark_home",
		"Spark was not found: set spark_home, or SPARK_HOME, or add pyspark to the step's requirements")
}

// homeInPath is the Spark whose spark-submit comes first in PATH: that of an
// unpacked Spark, or of a pip installation beside its packages.
func (f *spark) homeInPath() string {
	for _, entry := range filepath.SplitList(f.getenv("PATH")) {
		if !filepath.IsAbs(entry) {
			continue
		}
		path, err := filepath.EvalSymlinks(filepath.Join(entry, "spark-submit"))
		if err != nil {
			continue
		}
		up := filepath.Dir(filepath.Dir(path))
		beside, _ := filepath.Glob(filepath.Join(up, "lib*", "python3*", "site-packages", "pyspark"))
		for _, dir := range append([]string{up}, beside...) {
			if isHome(dir) {
				return dir
			}
		}
	}
	return ""
}

func isHome(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, "bin", "spark-submit"))
	return err == nil && info.Mode().IsRegular()
}

var coreJar = regexp.MustCompile(`^spark-core_[0-9.]+-([0-9]+\.[0-9]+[^/]*)\.jar$`)

// sparkVersion is that of a Spark, by its core, or "".
func sparkVersion(home string) string {
	found, _ := filepath.Glob(filepath.Join(home, "jars", "spark-core_*.jar"))
	for _, path := range found {
		if m := coreJar.FindStringSubmatch(filepath.Base(path)); m != nil {
			return m[1]
		}
	}
	return ""
}

// java finds the program, as Spark's scripts do.
func (f *spark) java(c Config) (string, error) {
	home, from := c.JavaHome, "java_home"
	if home == "" {
		home, from = f.getenv("JAVA_HOME"), "JAVA_HOME"
	}
	if home != "" {
		path := filepath.Join(home, "bin", "java")
		if _, err := os.Stat(path); err != nil {
			return "", pluginsdk.Config("config.java_home", "%s (%s) holds no bin/java", home, from)
		}
		return path, nil
	}
	for _, entry := range filepath.SplitList(f.getenv("PATH")) {
		path := filepath.Join(entry, "java")
		if info, err := os.Stat(path); err == nil && filepath.IsAbs(path) && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", pluginsdk.Config("config.java_home", "Java was not found: install it, or set java_home or JAVA_HOME")
}

// pythonOf is the interpreter of the driver.
func (f *spark) pythonOf(s *pluginsdk.Step) string {
	if d := s.Environment.Directory; d != nil && d.Python != "" {
		return d.Python
	}
	if s.Environment.Raw != nil {
		return pluginsdk.KnownAtLaunch("the step's Python") // nothing is prepared yet
	}
	if python := f.getenv("PYSPARK_DRIVER_PYTHON"); python != "" {
		return python
	}
	if python := f.getenv("PYSPARK_PYTHON"); python != "" {
		return python
	}
	if path, err := exec.LookPath("python3"); err == nil {
		return path
	}
	return "python3"
}

// joined is a list for spark-submit; relative paths lie below dir.
func joined(values []string, dir string) string {
	paths := make([]string, len(values))
	for i, v := range values {
		paths[i] = v
		if !strings.Contains(v, ":/") && !filepath.IsAbs(v) && dir != "" {
			paths[i] = filepath.Join(dir, v)
		}
	}
	return strings.Join(paths, ",")
}
