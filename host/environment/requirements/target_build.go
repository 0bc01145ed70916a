package requirements

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/stephost/stephost/host/environment/internal/group"
	"github.com/stephost/stephost/host/problem"
)

// yieldRounds bounds how often a choice is tried again with fewer of the base's
// packages fixed: each round frees at least one.
const yieldRounds = 50

// build chooses, fetches and lays out the packages, in the private directory.
func (t *targetBuild) build(ctx context.Context) (*Target, error) {
	var err error
	if t.python, err = t.hostPython(ctx); err != nil {
		return nil, err
	}
	if err := t.copyProjects(ctx); err != nil {
		return nil, err
	}
	if t.constraintsFile, err = t.write("constraints.txt", t.constraints); err != nil {
		return nil, err
	}
	if t.why != "" {
		t.progress("choosing packages with pip, not uv: " + t.why)
	}
	t.progress("resolving requirements with " + t.tool + " for " + t.fit.String())
	if t.tool == "pip" {
		if err := t.preparePip(ctx); err != nil {
			return nil, err
		}
	}
	if t.requirementsFile, err = t.write("requirements.txt", t.items); err != nil {
		return nil, err
	}
	t.add(t.extrasOfBase(nil))
	for {
		hidden, err := t.choose(ctx)
		if name := t.notOnIndex(err); name != "" {
			// What the extra needs stays unknown.
			t.unread[name] = true
			delete(t.real, name)
			continue
		}
		if err != nil {
			return nil, err
		}
		dists, err := readDists(t.site())
		if err != nil {
			return nil, &scratchError{err}
		}
		more := t.extrasOfBase(dists)
		if len(more) == 0 {
			return t.layOut(ctx, dists, hidden)
		}
		t.add(more)
	}
}

// notOnIndex is a package of the base that was looked for on the index in vain.
func (t *targetBuild) notOnIndex(err error) string {
	var known *Error
	if !errors.As(err, &known) || known.Kind != NotFound && known.Kind != Conflict {
		return ""
	}
	for name := range t.real {
		if bareName(known.Package) == name || strings.Contains(detailOf(err), name+"=="+t.request.Base.Installed[name]) {
			return name
		}
	}
	return ""
}

func (t *targetBuild) add(names []string) {
	for _, name := range names {
		t.real[name] = true
	}
}

// choose installs, with as many of the base's packages fixed as can be.
func (t *targetBuild) choose(ctx context.Context) (hidden []clash, err error) {
	if t.tool == "pip" {
		if err := t.renewStubs(); err != nil {
			return nil, err
		}
	}
	for round := 1; ; round++ {
		tail, err := t.install(ctx)
		if err == nil {
			break
		}
		var known *Error
		if !errors.As(err, &known) || known.Kind != Conflict && known.Kind != NotFound || round == yieldRounds {
			return nil, err
		}
		found, cerr := t.clashesOf(ctx, tail)
		if ctx.Err() != nil {
			return nil, ended(ctx)
		}
		if cerr != nil {
			return nil, cerr
		}
		if len(found) == 0 {
			return nil, err
		}
		if !t.request.Override {
			return nil, t.contradiction(found, tail)
		}
		for _, c := range found {
			if t.yields[c.name] {
				return nil, err // freed already, and still no choice
			}
			t.yields[c.name] = true
		}
		hidden = append(hidden, found...)
	}
	return hidden, nil
}

// hostPython is an interpreter of this machine: pip runs in it, uv asks it, and
// pure-Python packages are built with it. The base's version is the best one
// for that; any other does, for what it builds must be pure.
func (t *targetBuild) hostPython(ctx context.Context) (*Interpreter, error) {
	py, err := findPython(ctx, t.environ, t.request.Dir, t.fit.python)
	if err == nil || ctx.Err() != nil {
		return py, err
	}
	return findPython(ctx, t.environ, t.request.Dir, "")
}

// install makes the installer choose and fetch, until everything is there or a
// failure is one that building wheels cannot mend. The tail is the failed
// tool's output.
func (t *targetBuild) install(ctx context.Context) ([]string, error) {
	if t.tool == "pip" {
		return t.installPip(ctx)
	}
	return t.installUV(ctx)
}

// freshSite makes the directory that the installer fills, empty but for what
// stands for the base.
func (t *targetBuild) freshSite() error {
	if err := os.RemoveAll(t.site()); err != nil {
		return &scratchError{err}
	}
	if err := os.Mkdir(t.site(), 0o700); err != nil {
		return &scratchError{err}
	}
	if t.tool == "uv" {
		if err := t.stubInstalled(t.site()); err != nil {
			return &scratchError{err}
		}
	}
	return nil
}

func (t *targetBuild) site() string { return filepath.Join(t.tmp, "site") }

func (t *targetBuild) toolEnviron() environ {
	env := t.environ.forTools(t.tmp)
	if t.tool == "pip" {
		env.forPip()
		// pip refuses them beside a foreign platform; sources are built by name.
		delete(env, "PIP_NO_BINARY")
		delete(env, "PIP_ONLY_BINARY")
	}
	// Nothing is installed for this machine, so the rules of its own Python do not
	// apply.
	env["PIP_REQUIRE_VIRTUALENV"] = "0"
	for _, k := range []string{"UV_PYTHON_PREFERENCE", "UV_MANAGED_PYTHON", "UV_NO_MANAGED_PYTHON"} {
		delete(env, k)
	}
	// A link into uv's cache would be changed by what is done to the tree.
	env["UV_LINK_MODE"] = "copy"
	return env
}

// failed makes the error of a tool that did not do it, in the words of the base.
func (t *targetBuild) failed(ctx context.Context, out *group.Outcome, cause error) error {
	if ctx.Err() != nil {
		return ended(ctx)
	}
	log, _ := readTail(t.log(), logTail)
	e := failure(t.tool, out.Tail, log, cause)
	var known *Error
	if errors.As(e, &known) && known.Kind == NotFound {
		subject := "the requirements"
		if known.Package != "" {
			subject = fmt.Sprintf("the requirement %q", known.Package)
		}
		e.Summary = fmt.Sprintf("%s cannot be had for %s: no such package or version, or no wheel that fits and no source", subject, t.fit)
	}
	return e
}

// native is the error about a package that would have to be compiled.
func (t *targetBuild) native(name, detail string) *problem.Error {
	return &problem.Error{Phase: phase, Class: problem.Config, Err: &Error{Kind: Native, Package: name}, Detail: detail,
		Summary: fmt.Sprintf("the package %q has no wheel for %s, and would have to be compiled", name, t.fit),
		Next: "choose a base image that has it or whose Python it has a wheel for, take another version, " +
			"build the image from a dockerfile, or name a wheel of your own (its path, or --find-links)"}
}

// installUV first allows wheels alone. Where a package has none, sources are
// allowed too, except of those that turn out to be native: for them uv goes
// back to an older version that has a wheel, or there is none.
func (t *targetBuild) installUV(ctx context.Context) ([]string, error) {
	tail, err := t.tryUV(ctx, "--no-build")
	if err == nil || !needsBuild(tail) {
		return tail, err
	}
	t.progress("some packages have no wheel: building those that are pure Python")
	wheelsOnly := map[string]string{} // native package -> why
	for {
		var flags []string
		for name := range wheelsOnly {
			flags = append(flags, "--only-binary", name)
		}
		tail, err := t.tryUV(ctx, flags...)
		var known *Error
		switch {
		case err == nil:
			found, err := t.compiled(ctx)
			if err != nil || found == "" {
				return nil, err
			}
			if _, again := wheelsOnly[found]; again {
				return nil, t.native(found, "")
			}
			wheelsOnly[found] = "It was compiled on this machine, for this machine."
		case errors.As(err, &known) && known.Kind == BuildFailed && known.Package != "":
			name := bareName(known.Package)
			if _, again := wheelsOnly[name]; again {
				return tail, err
			}
			var p *problem.Error
			errors.As(err, &p)
			wheelsOnly[name] = p.Detail
		default:
			for name, why := range wheelsOnly {
				if errors.As(err, &known) && needsBuild(tail) && strings.Contains(strings.Join(tail, "\n"), name) {
					return tail, t.native(name, why)
				}
			}
			return tail, err
		}
	}
}

// tryUV runs uv once, into a fresh directory.
func (t *targetBuild) tryUV(ctx context.Context, flags ...string) ([]string, error) {
	if err := t.freshSite(); err != nil {
		return nil, err
	}
	pins, err := t.write("base.txt", t.pins())
	if err != nil {
		return nil, err
	}
	argv, err := t.uvInstall(flags, pins)
	if err != nil {
		return nil, err
	}
	out, err := t.call(ctx, t.toolEnviron(), argv)
	if err != nil {
		return out.Tail, t.failed(ctx, out, err)
	}
	return nil, nil
}

func (t *targetBuild) uvInstall(flags []string, pins string, more ...string) ([]string, error) {
	platform, err := t.fit.uv()
	if err != nil {
		return nil, err
	}
	argv := []string{t.uv, "pip", "install", "--python", t.python.Path, "--target", t.site(),
		"--python-platform", platform, "--python-version", t.fit.python, "-r", t.requirementsFile}
	for _, c := range []string{t.constraintsFile, pins} {
		if c != "" {
			argv = append(argv, "-c", c)
		}
	}
	return append(append(argv, flags...), more...), nil
}

// needsBuild: uv refuses for want of a wheel alone. (uv 0.9 to 0.13.)
func needsBuild(tail []string) bool {
	text := strings.Join(tail, "\n")
	return strings.Contains(text, "no usable wheels") || strings.Contains(text, "building from source is disabled") ||
		strings.Contains(text, "Building source distributions is disabled") || strings.Contains(text, "uilding source distributions for")
}

// compiled is a package that uv has built here and that is not pure. A wheel
// for plain Linux looks the same when it comes from an index, so uv is asked
// whether it would also come without building.
func (t *targetBuild) compiled(ctx context.Context) (string, error) {
	dists, err := readDists(t.site())
	if err != nil {
		return "", &scratchError{err}
	}
	for _, d := range dists {
		if !d.builtHere() || d.fromWheel {
			continue
		}
		argv := []string{t.uv, "pip", "install", "--python", t.python.Path, "--target", filepath.Join(t.tmp, "probe"), "--dry-run", "--no-deps", "--no-build"}
		platform, err := t.fit.uv()
		if err != nil {
			return "", err
		}
		one, err := t.write("probe.txt", append(t.indexLines(), item{text: d.Name + "==" + d.Version}))
		if err != nil {
			return "", err
		}
		argv = append(argv, "--python-platform", platform, "--python-version", t.fit.python, "-r", one)
		if _, err := t.call(ctx, t.toolEnviron(), argv); err != nil {
			if ctx.Err() != nil {
				return "", ended(ctx)
			}
			return d.Name, nil
		}
	}
	return "", nil
}

// indexLines are the lines that say where packages come from.
func (t *targetBuild) indexLines() []item {
	var list []item
	for _, it := range t.items {
		for _, option := range []string{"-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index", "--trusted-host"} {
			if it.project == 0 && strings.HasPrefix(it.text, option) {
				list = append(list, it)
				break
			}
		}
	}
	return list
}

var leadingName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?`) })

// bareName is the normalised name at the start of a requirement.
func bareName(text string) string { return Normal(leadingName().FindString(text)) }
