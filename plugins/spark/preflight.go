package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stephost/stephost/plugins/spark/internal/standalone"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
)

const (
	// programBound is for `java -version` and `python --version`.
	programBound = 20 * time.Second
	// dialBound is for a connection to a master.
	dialBound = 5 * time.Second
)

// Preflight finds Spark, Java and Python, whether they fit each other, and whether
// the master answers.
func (f *spark) Preflight(ctx context.Context, c Config, s *pluginsdk.Step) error {
	if c.onKubernetes() {
		return f.kubePreflight(ctx, c, s)
	}
	state, err := f.state(c)
	if err != nil {
		return err
	}
	found := []error{detached.CheckState(state)}
	var set Settings
	venv := ""
	if s != nil {
		if err := s.DecodeSettings(&set); err != nil {
			return err
		}
		if d := s.Environment.Directory; d != nil {
			venv = d.Venv
		}
	}
	if set.DeployMode != cluster {
		found = append(found, f.checkPrograms(ctx, c, s, venv)...)
	}
	if c.isStandalone() {
		found = append(found, f.checkCluster(ctx, c, set)...)
	}
	return errors.Join(found...)
}

// checkPrograms looks at what client mode runs.
func (f *spark) checkPrograms(ctx context.Context, c Config, s *pluginsdk.Step, venv string) []error {
	var found []error
	home, from, err := f.home(c, venv)
	if err != nil {
		found = append(found, err)
	}
	java, jerr := f.java(c)
	if jerr != nil {
		return append(found, jerr)
	}
	major, text, jerr := javaVersion(ctx, java)
	if jerr != nil {
		return append(found, pluginsdk.Config("config.java_home", "%w", jerr))
	}
	if err != nil {
		return found
	}
	version := sparkVersion(home)
	if version == "" {
		return append(found, pluginsdk.Warn("config.spark_home", "%s (%s) has no spark-core jar: its version is not known", home, from))
	}
	if lowest, highest := javaFor(version); major < lowest || highest > 0 && major > highest {
		want := fmt.Sprintf("Java %d or later", lowest)
		if highest > 0 {
			want = fmt.Sprintf("Java %d to %d", lowest, highest)
		}
		found = append(found, pluginsdk.Config("config.java_home", "Spark %s (%s) needs %s, and %s is %s", version, home, want, java, text))
	}
	if _, err := exec.LookPath("bash"); err != nil {
		found = append(found, pluginsdk.Config("", "Spark's scripts need bash, which is not in PATH"))
	}
	if venv != "" {
		own, _ := filepath.Glob(filepath.Join(venv, "lib*", "python3*", "site-packages", "pyspark"))
		if len(own) > 0 && own[0] != home {
			if has := sparkVersion(own[0]); has != "" && has != version {
				found = append(found, pluginsdk.Warn("config.spark_home",
					"the step's requirements have pyspark %s, and Spark %s of %s runs it: the versions should be the same", has, version, from))
			}
		}
	}
	return found
}

var javaText = regexp.MustCompile(`version "([0-9]+)(?:\.([0-9]+))?[^"]*"`)

// javaVersion is the major version of a Java, and its own words.
func javaVersion(ctx context.Context, java string) (major int, text string, err error) {
	ctx, cancel := context.WithTimeout(ctx, programBound)
	defer cancel()
	out, err := exec.CommandContext(ctx, java, "-version").CombinedOutput()
	if err != nil {
		return 0, "", fmt.Errorf("%s -version: %w: %s", java, err, bytes.TrimSpace(out))
	}
	m := javaText.FindStringSubmatch(string(out))
	if m == nil {
		return 0, "", fmt.Errorf("%s -version says %q, and no version", java, bytes.TrimSpace(out))
	}
	major, _ = strconv.Atoi(m[1])
	if major == 1 { // 1.8 is 8
		major, _ = strconv.Atoi(m[2])
	}
	return major, strings.TrimPrefix(m[0], "version "), nil
}

// javaFor is what a Spark runs on, by the overview page of its documentation: 3.x on
// Java 8, 11 and 17, 4.x on 17 and later.
func javaFor(version string) (lowest, highest int) {
	if strings.HasPrefix(version, "3.") {
		return 8, 17
	}
	return 17, 0
}

// checkCluster asks the master for nothing but itself.
func (f *spark) checkCluster(ctx context.Context, c Config, set Settings) []error {
	var found []error
	if len(c.uis()) > 0 {
		client := standalone.Client{HTTP: f.seen.http}
		m, err := client.Master(ctx, c.uis())
		switch {
		case err != nil:
			found = append(found, pluginsdk.Warn("config.master_ui",
				"the web UI of the master does not answer, so a cancel could not be confirmed: set master_ui to its address, or to \"none\" not to ask (%v)", err))
		case living(m) == 0:
			found = append(found, pluginsdk.Warn("config.master", "the master has no living worker: applications would wait"))
		}
	}
	address := strings.Split(strings.TrimPrefix(c.Master, "spark://"), ",")[0]
	path, what := "config.master", "the master"
	if set.DeployMode == cluster {
		path, what = "config.rest_url", "the REST API"
		_, rest, _ := strings.Cut(c.rest(), "://")
		address, _, _ = strings.Cut(rest, "/")
	}
	d := net.Dialer{Timeout: dialBound}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return append(found, pluginsdk.Config(path, "%s cannot be reached: %w", what, err))
	}
	_ = conn.Close()
	return found
}

func living(m standalone.Master) int {
	n := 0
	for _, w := range m.Workers {
		if w.State == "ALIVE" {
			n++
		}
	}
	return n
}
