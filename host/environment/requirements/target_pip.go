package requirements

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// sourceRounds bounds how many packages are built because they have no wheel.
const sourceRounds = 50

var unsatisfied = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`Could not find a version that satisfies the requirement ([^\s;(]+)`)
})

// preparePip does what pip cannot do for a foreign platform: it builds what the
// lines name as source (projects, archives, repositories) into wheels, and
// names those instead.
func (t *targetBuild) preparePip(ctx context.Context) error {
	if err := os.MkdirAll(t.wheels(), 0o700); err != nil {
		return &scratchError{err}
	}
	if err := t.pipReady(ctx); err != nil {
		return err
	}
	for i, it := range t.items {
		what, suffix, ok := sourceLine(it)
		if !ok {
			continue
		}
		wheel, err := t.pipWheel(ctx, fmt.Sprintf("source-%d", i), what)
		if err != nil {
			return err
		}
		t.items[i].text = wheel + suffix
		if t.hashed() {
			if t.items[i].text, err = withHash(wheel+suffix, wheel); err != nil {
				return &scratchError{err}
			}
		}
	}
	return nil
}

// renewStubs writes the wheels that stand for the base.
func (t *targetBuild) renewStubs() error {
	if err := os.RemoveAll(t.stubs()); err != nil {
		return &scratchError{err}
	}
	if err := os.Mkdir(t.stubs(), 0o700); err != nil {
		return &scratchError{err}
	}
	if err := t.stubWheels(t.stubs()); err != nil {
		return &scratchError{err}
	}
	return nil
}

func (t *targetBuild) wheels() string { return filepath.Join(t.tmp, "wheels") }
func (t *targetBuild) stubs() string  { return filepath.Join(t.tmp, "stubs") }

// pipReady sees that the interpreter has pip. Distributions may keep it in a
// package of its own.
func (t *targetBuild) pipReady(ctx context.Context) error {
	if _, err := t.call(ctx, t.toolEnviron(), []string{t.python.Path, "-I", "-m", "pip", "--version"}); err == nil || ctx.Err() != nil {
		return nil
	}
	if !t.python.Venv {
		e := noVenv(t.python)
		e.Summary = t.python.String() + " has no pip, and its modules venv and ensurepip are missing"
		return e
	}
	venv := filepath.Join(t.tmp, "venv")
	if err := t.run(ctx, []string{t.python.Path, "-I", "-m", "venv", venv}); err != nil {
		return err
	}
	t.python.Path = pythonIn(venv)
	return nil
}

// hashed: one line with a hash makes pip ask for a hash of every package.
func (t *targetBuild) hashed() bool {
	for _, it := range t.items {
		if strings.Contains(it.text, "--hash=") || strings.HasPrefix(it.text, "--require-hashes") {
			return true
		}
	}
	return false
}

func withHash(text, wheel string) (string, error) {
	sum, err := fileHash(wheel)
	return text + " --hash=sha256:" + sum, err
}

// sourceLine splits a line that names source code: what to build, and what to
// put behind the wheel's path (extras, marker).
func sourceLine(it item) (what, suffix string, ok bool) {
	if it.project > 0 {
		return strings.TrimSuffix(it.text, it.suffix), markerOf(it.suffix), true
	}
	if strings.HasPrefix(it.text, "-") {
		return "", "", false
	}
	body, hashes := it.text, ""
	if i := strings.Index(body, " --hash="); i >= 0 {
		body, hashes = body[:i], body[i:]
	}
	marker := ""
	if i := strings.Index(body, " ;"); i >= 0 {
		body, marker = body[:i], body[i:]
	}
	body = strings.TrimSpace(body)
	name, place, direct := strings.Cut(body, " @ ")
	if !direct {
		place = body
	}
	place, _, _ = strings.Cut(place, "#")
	place, _, _ = strings.Cut(place, "?")
	if !isURL(place) && !strings.HasPrefix(place, "git+") && !filepath.IsAbs(place) || strings.HasSuffix(place, ".whl") || strings.Contains(place, ".whl[") {
		return "", "", false
	}
	extras := ""
	if i := strings.IndexByte(name, '['); direct && i >= 0 {
		extras = strings.TrimSpace(name[i:])
	} else if strings.HasSuffix(body, "]") && filepath.IsAbs(body) {
		i := strings.LastIndexByte(body, '[')
		body, extras = body[:i], body[i:]
	}
	return body + hashes, extras + marker, true
}

// markerOf drops the hashes of a suffix: they are about the source.
func markerOf(suffix string) string {
	if i := strings.Index(suffix, " --hash="); i >= 0 {
		return suffix[:i]
	}
	return suffix
}

// pipWheel builds one wheel, and refuses one that is not pure.
func (t *targetBuild) pipWheel(ctx context.Context, dir, what string, flags ...string) (string, error) {
	dir = filepath.Join(t.wheels(), dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", &scratchError{err}
	}
	lines := []item{{text: what}}
	if len(flags) > 0 {
		lines = append(t.indexLines(), lines...)
	}
	file, err := t.write("build.txt", lines)
	if err != nil {
		return "", err
	}
	argv := []string{t.python.Path, "-I", "-m", "pip", "wheel", "--no-deps", "--ignore-requires-python", "--progress-bar", "off",
		"--log", t.log(), "--wheel-dir", dir, "-r", file}
	if t.constraintsFile != "" {
		argv = append(argv, "-c", t.constraintsFile)
	}
	out, err := t.call(ctx, t.toolEnviron(), append(argv, flags...))
	if err != nil {
		return "", t.failed(ctx, out, err)
	}
	made, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(made) != 1 {
		return "", invalid(fmt.Sprintf("%q gives %d wheels, not one", t.redactor.clean(what), len(made)), err)
	}
	if !strings.HasSuffix(made[0], "-none-any.whl") {
		name, _, _ := strings.Cut(filepath.Base(made[0]), "-")
		return "", t.native(Normal(name), "It was compiled on this machine, for this machine: "+filepath.Base(made[0]))
	}
	return made[0], nil
}

// pipInstall is the command, without what only some calls want.
func (t *targetBuild) pipInstall(pins string) []string {
	argv := []string{t.python.Path, "-I", "-m", "pip", "install", "--no-user", "--progress-bar", "off", "--no-compile",
		"--no-warn-script-location", "--log", t.log(), "--target", t.site(), "--only-binary", ":all:",
		"--find-links", t.stubs(), "-r", t.requirementsFile}
	built, _ := filepath.Glob(filepath.Join(t.wheels(), "*"))
	for _, dir := range built {
		argv = append(argv, "--find-links", dir)
	}
	for _, c := range []string{t.constraintsFile, pins} {
		if c != "" {
			argv = append(argv, "-c", c)
		}
	}
	return append(argv, t.fit.pip()...)
}

// installPip installs from wheels; a package that has none is built, if it is
// pure, and the choice made again.
func (t *targetBuild) installPip(ctx context.Context) ([]string, error) {
	pins, err := t.write("base.txt", t.pins())
	if err != nil {
		return nil, err
	}
	built := map[string]bool{}
	for {
		if err := t.freshSite(); err != nil {
			return nil, err
		}
		_ = os.Remove(t.log())
		out, err := t.call(ctx, t.toolEnviron(), t.pipInstall(pins))
		if err == nil {
			return nil, nil
		}
		failed := t.failed(ctx, out, err)
		var known *Error
		if !errors.As(failed, &known) || known.Kind != NotFound || len(built) == sourceRounds {
			return out.Tail, failed
		}
		what := unsatisfied().FindStringSubmatch(strings.Join(out.Tail, "\n"))
		if what == nil || built[bareName(what[1])] {
			return out.Tail, failed
		}
		if err := t.buildMissing(ctx, what[1]); err != nil {
			if errors.As(err, &known) && known.Kind == NotFound {
				return out.Tail, failed // there is no source either
			}
			return nil, err
		}
		built[bareName(what[1])] = true
	}
}

// buildMissing builds a package from the source that an index has.
func (t *targetBuild) buildMissing(ctx context.Context, spec string) error {
	name := bareName(spec)
	t.progress("building " + name + ": it has no wheel for " + t.fit.String())
	line := spec
	at := -1
	for i, it := range t.items {
		if it.project == 0 && strings.Contains(it.text, "--hash=") && bareName(it.text) == name {
			at, line = i, it.text
		}
	}
	if i := strings.Index(line, ";"); i >= 0 { // a marker would be about this machine
		rest := ""
		if j := strings.Index(line, " --hash="); j >= 0 {
			rest = line[j:]
		}
		line = line[:i] + rest
	}
	wheel, err := t.pipWheel(ctx, "built-"+name, line, "--no-binary", name)
	var known *Error
	if errors.As(err, &known) && known.Kind == BuildFailed {
		return t.native(name, "Building it on this machine failed, too. "+detailOf(err))
	}
	if err != nil || at < 0 {
		return err
	}
	if t.items[at].text, err = withHash(t.items[at].text, wheel); err != nil {
		return &scratchError{err}
	}
	t.requirementsFile, err = t.write("requirements.txt", t.items)
	return err
}

// pipDryRun tells what would be installed.
func (t *targetBuild) pipDryRun(ctx context.Context) (map[string]string, error) {
	pins, err := t.write("base.txt", t.pins())
	if err != nil {
		return nil, err
	}
	report := filepath.Join(t.tmp, "report.json")
	out, err := t.call(ctx, t.toolEnviron(), append(t.pipInstall(pins), "--dry-run", "--report", report))
	if err != nil {
		return nil, t.failed(ctx, out, err)
	}
	var got struct {
		Install []struct {
			Metadata struct{ Name, Version string } `json:"metadata"`
		} `json:"install"`
	}
	data, err := os.ReadFile(report)
	if err == nil {
		err = json.Unmarshal(data, &got)
	}
	versions := map[string]string{}
	for _, p := range got.Install {
		versions[Normal(p.Metadata.Name)] = p.Metadata.Version
	}
	return versions, err
}
