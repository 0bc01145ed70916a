package plugintest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	maxScope    = 1 << 10
	maxHandle   = 16 << 10
	maxPrepared = 1 << 20
)

func planChecks() []check {
	return []check{
		{id: "plan.repeat", says: "Plan shows the same request each time, in a known format", can: []string{"plan"}, run: (*suite).checkPlan},
		{id: "scope.stable", says: "Scope names one place: the same in each call and in each process", full: true, run: (*suite).checkScope},
		{id: "project.any", says: "a project may have any name, or none", full: true, run: (*suite).checkProject},
		{id: "preflight.accepted", says: "an online Validate finds nothing wrong with the test's own values", full: true, can: []string{"preflight"}, run: (*suite).checkPreflight},
		{id: "prepare.repeat", says: "Prepare may be repeated, and ends with exactly one message that has done", full: true, can: []string{"prepare"}, run: (*suite).checkPrepare},
		{id: "registry.not-ours", says: "RegistryAuth gives no credentials for somebody else's registry", full: true, can: []string{"registry_auth"}, run: (*suite).checkRegistry},
	}
}

// planVariables is how many variables the planned step has. A flavor that shows a map in
// the order in which its language goes through it shows so many of them twice in the
// same order by chance less than once in thirty times (Go), and there are three more
// requests; a language that chooses the order once for each process is met in another.
const planVariables = 32

func (s *suite) checkPlan(ctx context.Context) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	j, err := s.newJob(scriptTrue)
	if err != nil {
		return err
	}
	for i := range planVariables {
		j.step.Env[fmt.Sprintf("PT_PLAN_%02d", i)] = "planned"
	}
	other, end, err := s.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	var before string
	for i, client := range []operatorv1.StepOperatorClient{p.client, p.client, p.client, other.client} {
		r, err := call(ctx, s, "Plan", client.Plan, &operatorv1.PlanRequest{Target: s.target(), Step: j.step})
		switch {
		case err != nil:
			return err
		case len(onlyErrors(r.GetDiagnostics())) > 0:
			return fmt.Errorf("Plan refuses the test's own values: %s", describe(onlyErrors(r.GetDiagnostics())))
		case r.GetRequest() == "":
			return errors.New("Plan shows no request")
		case !slices.Contains([]string{"yaml", "json", "text"}, r.GetFormat()):
			return fmt.Errorf("the format is %q, not yaml, json or text", printable(r.GetFormat(), maxWord))
		case i > 0 && r.GetRequest() != before:
			return fmt.Errorf("the same step was planned twice, with two requests:\n%s\nand\n%s", printable(before, maxWord), printable(r.GetRequest(), maxWord))
		}
		before = r.GetRequest()
	}
	return nil
}

// askScope asks for the live scope.
func (s *suite) askScope(ctx context.Context, p *process) (*operatorv1.Scope, error) {
	return s.askScopeOf(ctx, p, s.target())
}

// askScopeOf asks for the live scope of a target.
func (s *suite) askScopeOf(ctx context.Context, p *process, t *operatorv1.Target) (*operatorv1.Scope, error) {
	t.Scope = nil
	r, err := call(ctx, s, "Scope", p.client.Scope, &operatorv1.ScopeRequest{Target: t})
	if err != nil {
		return nil, err
	}
	if r.GetScope() == nil {
		return nil, fmt.Errorf("Scope names no place: %s; %s", describeAsk(r.GetCouldNotAsk()), describe(r.GetDiagnostics()))
	}
	return r.GetScope(), nil
}

func (s *suite) checkScope(ctx context.Context) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	one, err := s.askScope(ctx, p)
	if err != nil {
		return err
	}
	// From here on every request carries it, as the host's do.
	s.scope = one
	if one.GetId() == "" || len(one.GetId()) > maxScope {
		return fmt.Errorf("the id of the scope has %d bytes, expected 1 to %d", len(one.GetId()), maxScope)
	}
	two, err := s.askScope(ctx, p)
	if err != nil {
		return err
	}
	other, end, err := s.own(ctx)
	if err != nil {
		return err
	}
	defer end()
	three, err := s.askScope(ctx, other)
	if err != nil {
		return err
	}
	if one.GetId() != two.GetId() || one.GetId() != three.GetId() {
		return fmt.Errorf("the same config leads to %q, %q and (another process) %q",
			printable(one.GetId(), maxWord), printable(two.GetId(), maxWord), printable(three.GetId(), maxWord))
	}
	return nil
}

// otherProject is a target of another project, with its own scope where that
// depends on the project.
func (s *suite) otherProject(ctx context.Context, p *process, project string) (*operatorv1.Target, error) {
	t := s.target()
	t.Project = project
	scope, err := s.askScopeOf(ctx, p, t)
	t.Scope = scope
	return t, err
}

func (s *suite) checkProject(ctx context.Context) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	const longest = 256
	for _, project := range []string{"", "my project/7", "-._", "Größe \u2028 \uFFFD", strings.Repeat("p", longest)} {
		shown := printable(project, maxWord)
		t, err := s.otherProject(ctx, p, project)
		if err != nil {
			return fmt.Errorf("project %q: %w", shown, err)
		}
		if id := t.GetScope().GetId(); id == "" || len(id) > maxScope {
			return fmt.Errorf("project %q: the id of the scope has %d bytes, expected 1 to %d", shown, len(id), maxScope)
		}
		r, err := call(ctx, s, "Validate", p.client.Validate, &operatorv1.ValidateRequest{Target: t})
		if err != nil {
			return fmt.Errorf("project %q: %w", shown, err)
		}
		if bad := onlyErrors(r.GetDiagnostics()); len(bad) > 0 {
			return fmt.Errorf("project %q: %s", shown, describe(bad))
		}
	}
	return nil
}

func (s *suite) checkPreflight(ctx context.Context) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	j, err := s.newJob(scriptTrue)
	if err != nil {
		return err
	}
	r, err := call(ctx, s, "Validate (online)", p.client.Validate, &operatorv1.ValidateRequest{Target: s.target(), Step: j.step, Online: true})
	if err != nil {
		return err
	}
	if bad := onlyErrors(r.GetDiagnostics()); len(bad) > 0 {
		return errors.New(describe(bad))
	}
	return nil
}

// prepare runs Prepare to its end.
func (s *suite) prepare(ctx context.Context, p *process, step *operatorv1.Step) (*operatorv1.PrepareResponse_Done, error) {
	ctx, cancel := context.WithTimeout(ctx, s.c.JobTimeout)
	defer cancel()
	stream, err := p.client.Prepare(ctx, &operatorv1.PrepareRequest{Target: s.target(), Step: step})
	if err != nil {
		return nil, s.transport(ctx, "Prepare", err)
	}
	var done *operatorv1.PrepareResponse_Done
	for {
		m, err := stream.Recv()
		switch {
		case errors.Is(err, io.EOF) && done == nil:
			return nil, errors.New("Prepare ended without done")
		case errors.Is(err, io.EOF):
			return done, nil
		case err != nil:
			return nil, s.transport(ctx, "Prepare", err)
		case done != nil:
			return nil, errors.New("a message came after done")
		case m.GetCouldNotAsk() != nil:
			return nil, errors.New("Prepare: " + describeAsk(m.GetCouldNotAsk()))
		case len(onlyErrors(m.GetDiagnostics())) > 0:
			return nil, errors.New("Prepare: " + describe(m.GetDiagnostics()))
		}
		done = m.GetDone()
	}
}

func (s *suite) checkPrepare(ctx context.Context) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	j, err := s.newJob(scriptTrue)
	if err != nil {
		return err
	}
	for range 2 {
		done, err := s.prepare(ctx, p, j.step)
		if err != nil {
			return err
		}
		if n := len(done.GetPrepared()); n > maxPrepared {
			return fmt.Errorf("prepared has %d bytes, more than %d", n, maxPrepared)
		}
	}
	return j.runs(ctx, 0, 0)
}

func (s *suite) checkRegistry(ctx context.Context) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	r, err := call(ctx, s, "RegistryAuth", p.client.RegistryAuth, &operatorv1.RegistryAuthRequest{
		Target: s.target(), Registry: "registry.invalid:443", Repository: "plugintest", Push: true})
	if err != nil {
		return err
	}
	if !r.GetNotOurs() && (r.GetUsername() != "" || r.GetPassword().GetValue() != "") {
		return errors.New("it gave credentials for registry.invalid:443")
	}
	if !r.GetNotOurs() && len(onlyErrors(r.GetDiagnostics())) == 0 {
		return errors.New("it says neither not_ours nor what is wrong")
	}
	return nil
}

// quiet tells which secrets stand in text.
func quiet(secrets []string, where, text string) error {
	for _, secret := range secrets {
		if len(secret) >= 6 && strings.Contains(text, secret) {
			return fmt.Errorf("a secret value stands in %s", where)
		}
	}
	return nil
}

// redact replaces the secrets in text.
func redact(text string, secrets []string) string {
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, "(sensitive)")
	}
	return text
}
