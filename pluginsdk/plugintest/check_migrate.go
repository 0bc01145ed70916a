package plugintest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// Previous is an earlier version of the flavor, whose operators and jobs the
// version under test has to do with.
type Previous struct {
	// Plugin, Command, Manifest and Env are as in Config.
	Plugin   string
	Command  []string
	Manifest []byte
	Env      []string
	// Operator and Settings are its values. Nil: those of Config that its manifest
	// has.
	Operator, Settings map[string]any
}

// unlistedHandle is a handle version that no manifest lists.
const unlistedHandle = math.MaxUint32

func migrateChecks() []check {
	return []check{
		{id: "migrate.unlisted-handle", says: "a handle of a version that the manifest does not list is refused or could not ask, never a verdict", full: true, jobs: 1, run: (*suite).checkUnlistedHandle},
		{id: "migrate.schema", says: "what an operator or a step of the earlier version could say is still valid, and says all that is required", previous: true, run: (*suite).checkSchema},
		{id: "migrate.handle", says: "a job of the earlier version is found, followed, read and cancelled with the handle and the scope that the earlier one gave", full: true, previous: true, kind: Remote, jobs: 2, run: (*suite).checkOldHandle},
	}
}

func (s *suite) checkUnlistedHandle(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptHold)
	if err != nil {
		return err
	}
	defer j.release()
	other := proto.Clone(j.handle).(*operatorv1.Handle)
	other.Version = unlistedHandle
	var wrong []error
	if s.caps["cancel"] {
		r, err := p.client.Cancel(ctx, &operatorv1.CancelRequest{Target: s.target(), Handle: other, Key: j.step.Key})
		if err == nil && r.GetCouldNotAsk() == nil || status.Code(err) == codes.Unavailable {
			wrong = append(wrong, fmt.Errorf("Cancel was carried out with it (%v %v)", r, err))
		}
	}
	if err := s.noNews(ctx, p, j, other); err != nil {
		wrong = append(wrong, err)
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	j.release()
	_, err = j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED)
	return err
}

// noNews demands that Watch tells nothing about the job with this handle: a
// refusal of the call, or "could not ask".
func (s *suite) noNews(ctx context.Context, p *process, j *job, h *operatorv1.Handle) error {
	ctx, cancel := context.WithTimeout(ctx, s.c.CallTimeout)
	defer cancel()
	q := j.watchRequest()
	q.Handle = h
	stream, err := p.client.Watch(ctx, q)
	for err == nil {
		var m *operatorv1.WatchResponse
		m, err = stream.Recv()
		switch {
		case m.GetTerminal() != nil:
			return fmt.Errorf("Watch gave the verdict %s", terminalText(m.GetTerminal()))
		case m.GetStatus() != nil:
			return fmt.Errorf("Watch gave the status %s", m.GetStatus().GetPhase())
		case m.GetReachability() != nil && !m.GetReachability().GetReachable():
			return nil
		}
	}
	return nil
}

// earlier is the suite's view of Config.Previous.
func (s *suite) earlier() (*suite, error) {
	prev := s.c.Previous
	c := s.c
	c.Plugin, c.Command, c.Manifest, c.Env = prev.Plugin, prev.Command, prev.Manifest, prev.Env
	m, err := readManifest(&c)
	if err != nil {
		return nil, fmt.Errorf("the earlier version: %w", err)
	}
	known := func(given, all map[string]any, setting bool) map[string]any {
		if given != nil {
			return given
		}
		out := map[string]any{}
		for _, a := range m.of(setting) {
			if v, ok := all[a.name]; ok {
				out[a.name] = v
			}
		}
		return out
	}
	c.Operator, c.Settings = known(prev.Operator, s.c.Operator, false), known(prev.Settings, s.c.Settings, true)
	old, err := newSuite(c)
	if err != nil {
		return nil, fmt.Errorf("the earlier version: %w", err)
	}
	switch {
	case m.name != s.m.name:
		return nil, fmt.Errorf("Config.Previous is flavor %s, not %s", printable(m.name, maxWord), s.m.name)
	case m.version == s.m.version:
		return nil, fmt.Errorf("Config.Previous has the version %s, too: raise `version` with every change that is handed out", m.version)
	}
	old.id, old.dir = s.id, s.dir
	return old, old.resolveCommand()
}

// heir is the attribute that stands for a in m: by name, or by an alias.
func (m *manifest) heir(a *attribute) *attribute {
	for _, x := range m.attributes {
		if x.name == a.name || slices.Contains(x.aliases, a.name) {
			return x
		}
	}
	return nil
}

func (s *suite) checkSchema(context.Context) error {
	old, err := s.earlier()
	if err != nil {
		return err
	}
	var wrong []error
	from := map[*attribute]bool{}
	for _, a := range old.m.attributes {
		x := s.m.heir(a)
		from[x] = x != nil
		switch {
		case x == nil:
			wrong = append(wrong, fmt.Errorf("%s is gone: keep it for a version with `deprecated`, or keep its name in `aliases`", a.label()))
		case a.setting && !x.setting:
			wrong = append(wrong, fmt.Errorf("%s has become a config attribute: steps that set it are refused", a.label()))
		case x.sensitive && !a.sensitive:
			wrong = append(wrong, fmt.Errorf("%s has become sensitive: operators that hold its value are refused", a.label()))
		case x.def == cty.NilVal && a.def != cty.NilVal:
			wrong = append(wrong, fmt.Errorf("%s has lost its default: operators without it are refused", a.label()))
		case !a.ty.Equals(x.ty) && convert.GetConversionUnsafe(a.ty.WithoutOptionalAttributesDeep(), x.ty.WithoutOptionalAttributesDeep()) == nil:
			wrong = append(wrong, fmt.Errorf("%s was %s and is %s", a.label(), a.ty.FriendlyName(), x.ty.FriendlyName()))
		}
	}
	for _, x := range s.m.attributes {
		if x.def == cty.NilVal && !from[x] {
			wrong = append(wrong, fmt.Errorf("%s is new and required: give it a default, or operators of %s cannot be moved", x.label(), old.m.version))
		}
	}
	for _, v := range old.m.handles {
		if !slices.Contains(s.m.handles, v) {
			wrong = append(wrong, fmt.Errorf("handles of version %d are not read any more: list it in `handles`", v))
		}
	}
	return errors.Join(wrong...)
}

func (s *suite) checkOldHandle(ctx context.Context) error {
	old, err := s.earlier()
	if err != nil {
		return err
	}
	writer, end, err := old.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	// adopt makes a job of the earlier version that the one under test takes over.
	adopt := func(script string) (*job, error) {
		j, err := old.newJob(script)
		if err != nil {
			return nil, err
		}
		err = j.start(ctx, writer)
		j.s = s
		s.jobs = append(s.jobs, j)
		return j, err
	}
	one, err := adopt(scriptReady)
	if err != nil {
		return err
	}
	defer one.release()
	two, err := adopt(scriptLong)
	if err != nil {
		return err
	}
	defer two.release()
	writer.stop()

	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	now := s.scope
	s.scope = old.scope // the host sends what it has stored
	defer func() { s.scope = now }()
	if s.caps["find"] {
		r, err := s.findSettled(ctx, p, one.step.Key)
		if err != nil {
			return err
		}
		if r.GetOutcome() != operatorv1.FindResponse_OUTCOME_FOUND || len(r.GetJobs()) != 1 {
			return fmt.Errorf("Find answered %s, but the earlier version has submitted the job: names, labels and tags must stay as they are", findOutcome(r))
		}
	}
	one.release()
	if _, err := one.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
		return fmt.Errorf("Watch with the handle of the earlier version: %w", err)
	}
	if s.caps["logs"] {
		if err := one.hasLog(ctx, p); err != nil {
			return err
		}
	}
	if !s.caps["cancel"] {
		return nil
	}
	r, err := call(ctx, s, "Cancel", p.client.Cancel, &operatorv1.CancelRequest{Target: s.target(), Handle: two.handle, Key: two.step.Key, Force: true})
	if err != nil {
		return err
	}
	if r.GetAccepted() == nil {
		return fmt.Errorf("Cancel with the handle of the earlier version answered %v, expected accepted", r)
	}
	_, err = two.expect(ctx, p, operatorv1.Phase_PHASE_CANCELLED)
	return err
}

// hasLog demands what scriptReady prints.
func (j *job) hasLog(ctx context.Context, p *process) error {
	l := newLogState()
	if err := j.readLog(ctx, p, l, true, nil); err != nil {
		return fmt.Errorf("Logs with the handle of the earlier version: %w", err)
	}
	if got := l.stream("stdout"); got != "ready\n" {
		return fmt.Errorf("Logs with the handle of the earlier version: %w", differ("stdout", "ready\n", got))
	}
	return nil
}
