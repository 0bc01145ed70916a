package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/stephost/stephost/test/bench/internal/lab"
	"github.com/stephost/stephost/test/bench/internal/report"
	"github.com/stephost/stephost/test/bench/internal/stats"
	testimage "github.com/stephost/stephost/test/image"
)

const (
	// imageGoal is how much faster than docker a build must be that changes nothing
	// or code alone.
	imageGoal = 5
	// imageRounds of all builders at most; each takes a minute or two.
	imageRounds = 3
	// imageShort is how often a round repeats what takes moments.
	imageShort = 5
	// imageModules are the files of the step's source besides its main one.
	imageModules = 200
	// imageOperator is the operator of a flavor that runs images.
	imageOperator = "cluster"
	// imageRequirements is the requirements file of all builders, behind the line
	// that names the index.
	imageRequirements = "numpy==2.2.*\nscikit-learn==1.6.*\ntabulate==0.9.0\nidna\n"
	// imageMore is what the changed file has too.
	imageMore = "toolz\n"
)

// imageWorld is what all builders share.
type imageWorld struct {
	*bench
	base  *testimage.Base
	index *httptest.Server
	app   string // source, requirements.txt and Dockerfile
	shims string
}

// builder makes an image of the app and pushes it.
type builder interface {
	name() string
	// fresh makes a builder forget, and tells where the base is and where to push.
	fresh(ctx context.Context, base, push string) error
	// build returns milliseconds.
	build(ctx context.Context) (float64, error)
}

// benchImage builds one project on one base with one requirements file: with
// stephost, and with what people use. All push to a registry that is new in
// every round; the package index is near, so that the network decides nothing.
func benchImage(ctx context.Context, b *bench) (err error) {
	if err := testimage.Missing("dockerd", "docker"); err != nil {
		b.Note("Not measured: %v.", err)
		return nil
	}
	w, err := b.imageWorld(ctx)
	if err != nil {
		return err
	}
	defer w.index.Close()
	ours := &stephostBuilder{imageWorld: w}
	docker, err := startDocker(ctx, w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, docker.close()) }()
	builders := []builder{ours, docker}
	buildah, err := newBuildah(w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, buildah.close()) }()
	why := buildah.works(ctx)
	if why == nil {
		builders = append(builders, buildah)
	}
	took := map[string]map[string]stats.Sample{}
	if why != nil {
		b.Note("buildah does not run here: %v.", why)
	}
	defer w.report(builders, took) // also what an interrupted run has
	for round := range min(imageRounds, b.n) {
		if err := w.round(ctx, round, builders, took); err != nil {
			return err
		}
	}
	return nil
}

// imageCase is one build of a round.
type imageCase struct {
	name  string
	times int
	// change is what a person changed before it; n is never the same.
	change func(w *imageWorld, n int) error
}

// imageCases are the builds of a round, in order.
func imageCases() []imageCase {
	return []imageCase{
		{"cold", 1, func(w *imageWorld, n int) error { return w.write("version.py", "version = %d\n", n) }},
		{"no change", imageShort, func(*imageWorld, int) error { return nil }},
		{"code change", imageShort, func(w *imageWorld, n int) error {
			return w.write("lib/module_7.py", "value = 'changed, %d'\n", n)
		}},
		{"requirements change", 1, func(w *imageWorld, _ int) error { return w.requirements(imageMore) }},
	}
}

// round is every case with every builder, one after the other, on a registry of
// its own.
func (w *imageWorld) round(ctx context.Context, round int, builders []builder, took map[string]map[string]stats.Sample) error {
	dir, err := w.TempDir("r")
	if err != nil {
		return err
	}
	r, err := testimage.StartRegistry(dir)
	if err != nil {
		return err
	}
	defer r.Stop()
	base, err := r.Push(ctx, "base/python:bench", w.base)
	if err != nil {
		return err
	}
	if err := w.requirements(""); err != nil {
		return err
	}
	for _, b := range builders {
		if err := b.fresh(ctx, base, r.Host+"/bench/"+b.name()); err != nil {
			return fmt.Errorf("%s: %w", b.name(), err)
		}
	}
	for _, c := range imageCases() {
		if took[c.name] == nil {
			took[c.name] = map[string]stats.Sample{}
		}
		for i := range c.times {
			if err := c.change(w, round*imageShort+i); err != nil {
				return err
			}
			for _, b := range builders {
				ms, err := b.build(ctx)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", b.name(), c.name, err)
				}
				took[c.name][b.name()] = append(took[c.name][b.name()], ms)
			}
		}
	}
	return os.RemoveAll(dir)
}

func (w *imageWorld) report(builders []builder, took map[string]map[string]stats.Sample) {
	for _, c := range imageCases() {
		ours := took[c.name][builders[0].name()]
		for _, b := range builders {
			w.Add(report.Line{What: c.name + ": " + b.name() + ", build and push", Sample: took[c.name][b.name()], Unit: "ms"})
		}
		for _, b := range builders[1:] {
			ratio := stats.Pairs(took[c.name][b.name()], ours, func(a, b float64) float64 { return a / b })
			what := fmt.Sprintf("%s: times faster than %s", c.name, b.name())
			switch {
			case b.name() != "docker" || c.name == "requirements change":
				w.Add(report.Line{What: what, Sample: ratio, Unit: "x"})
			case c.name == "cold":
				w.addGoal(what, ratio, "x", ">= 1 x", ratio.Median() >= 1)
			default:
				w.addGoal(what, ratio, "x", fmt.Sprintf(">= %d x", imageGoal), ratio.Median() >= imageGoal)
			}
		}
	}
	w.Note("All start from the same base in the same registry, and take packages from an index on this machine. Cold: no cache of builder or installer; docker and buildah have the base, stephost has not.")
}

func (b *bench) imageWorld(ctx context.Context) (*imageWorld, error) {
	w := &imageWorld{bench: b, shims: filepath.Join(b.Root, "bin", "shim")}
	// Beside the copy of stephost, as an installation has it.
	to := filepath.Join(filepath.Dir(b.Stephost), "shim")
	if _, err := os.Stat(to); errors.Is(err, os.ErrNotExist) {
		if err := os.CopyFS(to, os.DirFS(w.shims)); err != nil {
			return nil, fmt.Errorf("%w (run `make build` first)", err)
		}
	}
	var err error
	if w.base, err = testimage.MakeBase(ctx, testimage.CacheDir()); err != nil {
		return nil, err
	}
	links, err := b.TempDir("wheels")
	if err != nil {
		return nil, err
	}
	// For the base's Python and an old libc, that pip of the base takes them too.
	argv := []string{"-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--dest", links, "--python-version", w.base.Python, "--platform", "manylinux2014_x86_64"}
	argv = append(argv, strings.Fields(imageRequirements+imageMore)...)
	if out, err := exec.CommandContext(ctx, "python3", argv...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pip download: %w: %s", err, out)
	}
	w.index = httptest.NewServer(testimage.Index(links))
	if w.app, err = b.TempDir("app"); err != nil {
		return nil, err
	}
	for i := range imageModules {
		if err := w.write(fmt.Sprintf("lib/module_%d.py", i), "value = %d\n%s", i, strings.Repeat("# words to fill a page\n", 40)); err != nil {
			return nil, err
		}
	}
	return w, w.write("train.py", "import sklearn\nprint(sklearn.__version__)\n")
}

func (w *imageWorld) write(name, format string, args ...any) error {
	name = filepath.Join(w.app, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, []byte(fmt.Sprintf(format, args...)), 0o644)
}

func (w *imageWorld) requirements(more string) error {
	return w.write("requirements.txt", "--index-url %s/simple/\n%s%s", w.index.URL, imageRequirements, more)
}

// stephostBuilder is `stephost build`.
type stephostBuilder struct {
	*imageWorld
	place *lab.Place
	argv  []string
	env   []string
}

func (s *stephostBuilder) name() string { return "stephost" }

func (s *stephostBuilder) fresh(ctx context.Context, base, push string) error {
	var err error
	if s.place, err = s.Place(); err != nil {
		return err
	}
	s.env = append(s.place.Env, "UV_CACHE_DIR="+filepath.Join(s.place.Dir, "uv"), "PIP_CACHE_DIR="+filepath.Join(s.place.Dir, "pip"))
	for _, argv := range [][]string{
		{s.Stephost, "flavor", "register", filepath.Join(s.Root, "bin", "plugins", "stephost-flavor-kubernetes")},
		{s.Stephost, "operator", "register", imageOperator, "--flavor=kubernetes"},
	} {
		if ran, err := s.Run(ctx, lab.Command{Argv: argv, Env: s.env, Dir: s.app}); err != nil {
			return fmt.Errorf("%w: %s", err, ran.Stderr)
		}
	}
	s.argv = []string{s.Stephost, "build", "--operator", imageOperator, "--base-image", base, "--registry", push, "--source", ".", "--requirements-file", "requirements.txt"}
	return nil
}

func (s *stephostBuilder) build(ctx context.Context) (float64, error) {
	ran, err := s.Run(ctx, lab.Command{Argv: s.argv, Env: s.env, Dir: s.app})
	if err != nil {
		err = fmt.Errorf("%w: %s", err, ran.Stderr)
	}
	return lab.Milliseconds(ran.Wall), err
}
