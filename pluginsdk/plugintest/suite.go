package plugintest

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// settleSlack is added to the manifest's `settle`, for a busy machine.
const settleSlack = 10 * time.Second

// suite is one run. Checks run one after the other, so that it needs no lock.
type suite struct {
	c       Config
	m       *manifest
	caps    map[string]bool // declared, and implemented as far as is known
	command []string
	config  *operatorv1.Values
	setting *operatorv1.Values
	id      string // of this run: part of tokens
	dir     string // scratch directory

	main *process
	// unstartable is the check that found out that the plugin cannot be started.
	unstartable string
	processes   []*process
	scope       *operatorv1.Scope
	sdk         string
	jobs        []*job
	secrets     []string // values that must not show
	spoken      []string // what the plugin said outside of its log
}

// newSuite reads the manifest and makes the values. It starts nothing.
func newSuite(c Config) (*suite, error) {
	m, err := readManifest(&c)
	if err != nil {
		return nil, err
	}
	s := &suite{c: c, m: m, caps: map[string]bool{}}
	for _, name := range m.capabilities {
		s.caps[name] = true
	}
	if s.config, err = m.values(false, c.Operator); err != nil {
		return nil, err
	}
	if s.setting, err = m.values(true, c.Settings); err != nil {
		return nil, err
	}
	for _, v := range []*operatorv1.Values{s.config, s.setting} {
		for _, x := range v.GetSecrets() {
			s.secrets = append(s.secrets, x.GetValue())
		}
	}
	if c.Tier == Full && slices.Contains(m.environments, "image") && !slices.Contains(m.environments, "directory") && c.Image == "" {
		return nil, errors.New("plugintest: the flavor's environment is an image: set Config.Image to one with a shell")
	}
	return s, nil
}

// resolveCommand makes the command that starts the plugin.
func (s *suite) resolveCommand() error {
	words := s.c.Command
	if len(words) == 0 {
		words = s.m.exec
	}
	if len(words) == 0 {
		words = []string{"{file}"}
	}
	file, err := filepath.Abs(s.c.Plugin)
	if err != nil {
		return err
	}
	s.command = nil
	for i, w := range words {
		w = strings.NewReplacer("{file}", file, "{dir}", filepath.Dir(file)).Replace(w)
		if i == 0 && !filepath.IsAbs(w) {
			name := strings.TrimSuffix(strings.TrimPrefix(w, "{interpreter:"), "}")
			if at := strings.IndexAny(name, "<>=!~"); at > 0 {
				name = name[:at]
			}
			if w, err = exec.LookPath(name); err != nil {
				return fmt.Errorf("plugintest: the command of the plugin: %w", err)
			}
		}
		s.command = append(s.command, w)
	}
	return nil
}

// run runs every check that is wanted.
func (s *suite) run(ctx context.Context, jobs int) (_ *Report, err error) {
	if err := s.resolveCommand(); err != nil {
		return nil, err
	}
	if s.dir, err = os.MkdirTemp("", "stephost-plugintest-"); err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(s.dir) }()
	s.id = randomName()
	r := &Report{
		Format: ReportFormat, Flavor: s.m.name, Version: s.m.version, Digest: s.m.digest, Plugin: s.c.Plugin,
		Tier: s.c.Tier, Kind: s.c.Kind, Started: time.Now(), Jobs: jobs,
	}
	defer s.end()
	checks := catalogue()
	for i, x := range checks {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if x.closing && (i == 0 || !checks[i-1].closing) {
			// The last checks judge what the others have left.
			r.Left = s.end()
		}
		if !s.c.wants(x.id) {
			continue
		}
		result := s.check(ctx, x)
		r.Results = append(r.Results, result)
		if s.c.Progress != nil {
			s.c.Progress(result)
		}
	}
	r.SDK, r.Seconds = printable(s.sdk, maxWord), time.Since(r.Started).Seconds()
	return r, nil
}

// check runs one check.
func (s *suite) check(ctx context.Context, x check) Result {
	r := Result{ID: x.id, Says: x.says, Outcome: Pass}
	why := s.missing(x)
	if s.unstartable != "" && !x.closing {
		why = "needs a plugin that can be started: see " + s.unstartable
	}
	if why != "" {
		r.Outcome, r.Detail = Absent, why
		return r
	}
	r.Jobs = x.jobs
	limit := s.c.CallTimeout*2 + time.Duration((x.jobs+1)*max(x.times, 1))*s.c.JobTimeout
	checkCtx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begun := time.Now()
	err := x.run(s, checkCtx)
	if s.main != nil && s.main.over() {
		if !s.main.expected {
			err = errors.Join(err, fmt.Errorf("the plugin ended by itself: %s%s", s.main.how(), s.main.tail()))
		}
		s.main.kill()
		s.main = nil
	}
	r.Seconds = time.Since(begun).Seconds()
	var absent *absentError
	var start *startError
	if errors.As(err, &start) {
		s.unstartable = x.id // one fault, one failure
	}
	switch {
	case err == nil:
	case errors.As(err, &absent):
		r.Outcome, r.Detail = Absent, absent.why
	default:
		r.Outcome, r.Detail = Fail, printable(err.Error(), maxDetail)
		if reason, ok := s.c.Waive[x.id]; ok {
			r.Outcome, r.Detail = Waived, reason+"\n"+r.Detail
		}
	}
	return r
}

// absentError says that a check found out that it cannot be made.
type absentError struct{ why string }

func (e *absentError) Error() string { return e.why }

func absent(format string, args ...any) error { return &absentError{fmt.Sprintf(format, args...)} }

// startError says that a process of the plugin could not be started.
type startError struct{ err error }

func (e *startError) Error() string { return e.err.Error() }
func (e *startError) Unwrap() error { return e.err }

// end ends jobs and processes, and returns the jobs that may be left.
func (s *suite) end() (left []string) {
	ctx, cancel := context.WithTimeout(context.Background(), s.c.JobTimeout)
	defer cancel()
	if s.c.Fault != nil && s.c.Tier == Full {
		_ = s.c.Fault(ctx, NoFault)
	}
	for _, j := range s.jobs {
		if !j.finish(ctx) {
			left = append(left, j.name())
		}
	}
	s.jobs = nil
	for _, p := range s.processes {
		if !p.over() {
			p.stop()
		}
	}
	s.main = nil
	return left
}

// plugin returns the process that most checks share.
func (s *suite) plugin(ctx context.Context) (*process, error) {
	if s.main != nil && !s.main.over() {
		return s.main, nil
	}
	var err error
	s.main, err = s.startProcess(ctx)
	return s.main, err
}

// own starts a process for one check, which ends it.
func (s *suite) own(ctx context.Context) (*process, func(), error) {
	p, err := s.startProcess(ctx)
	if err != nil {
		return nil, nil, err
	}
	return p, func() {
		if !p.over() {
			p.stop()
		}
		p.kill()
	}, nil
}

// target is what every request carries.
func (s *suite) target() *operatorv1.Target {
	return &operatorv1.Target{
		Operator: "plugintest", FlavorVersion: s.m.version, ManifestDigest: s.m.digest, Config: s.config, Scope: s.scope, Project: "plugintest",
	}
}

// randomName is 26 characters [a-z2-7], as the host's keys are.
func randomName() string {
	var b [17]byte
	_, _ = rand.Read(b[:]) // never fails
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:]))[:26]
}
