package plugintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

const (
	unknownName = "plugintest_unknown"
	otherDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
)

func valueChecks() []check {
	return []check{
		{id: "values.accepted", says: "Validate takes the values of the test, twice, and finds nothing wrong", run: (*suite).checkAccepted},
		{id: "values.typed", says: "every attribute reaches the plugin typed: a value of another type is refused", run: (*suite).checkTyped},
		{id: "values.unknown", says: "an attribute that the schema has not is refused", run: (*suite).checkUnknown},
		{id: "values.other-manifest", says: "values of another manifest are refused", run: (*suite).checkOtherManifest},
	}
}

func (s *suite) checkAccepted(ctx context.Context) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	j, err := s.newJob(scriptTrue)
	if err != nil {
		return err
	}
	for _, step := range []*operatorv1.Step{nil, j.step, j.step} {
		ds, err := s.validate(ctx, p, s.target(), step)
		if err != nil {
			return err
		}
		if bad := onlyErrors(ds); len(bad) > 0 {
			return fmt.Errorf("Validate refuses the values: %s", describe(bad))
		}
	}
	return nil
}

// probe is a request with one thing wrong.
type probe struct {
	what   string
	path   []string
	target *operatorv1.Target
	step   *operatorv1.Step
}

// probe makes a request in which the attribute name of one part is text.
func (s *suite) probe(setting bool, what, name, text string) (probe, error) {
	j, err := s.newJob(scriptTrue)
	if err != nil {
		return probe{}, err
	}
	x := probe{what: what, path: []string{"config", name}, target: s.target(), step: j.step}
	x.target.Config = proto.Clone(s.config).(*operatorv1.Values)
	if setting {
		x.path[0] = "settings"
		x.step.Settings = with(s.setting, name, text)
	} else {
		x.target.Config = with(s.config, name, text)
	}
	return x, nil
}

func (s *suite) checkTyped(ctx context.Context) error {
	var probes []probe
	for _, a := range s.m.attributes {
		text := a.wrongText()
		if text == "" {
			continue
		}
		x, err := s.probe(a.setting, fmt.Sprintf("%s for the %s %q", text, a.ty.FriendlyName(), a.name), a.name, text)
		if err != nil {
			return err
		}
		probes = append(probes, x)
	}
	if len(probes) == 0 {
		return absent("needs an attribute of a plain type in the schema")
	}
	return s.refused(ctx, probes, true)
}

func (s *suite) checkUnknown(ctx context.Context) error {
	var probes []probe
	for _, setting := range []bool{false, true} {
		if len(s.m.of(setting)) == 0 {
			continue // a flavor without attributes has no reason to read them
		}
		x, err := s.probe(setting, "the unknown attribute "+unknownName, unknownName, `"x"`)
		if err != nil {
			return err
		}
		probes = append(probes, x)
	}
	if len(probes) == 0 {
		return absent("needs an attribute in the schema")
	}
	return s.refused(ctx, probes, false)
}

func (s *suite) checkOtherManifest(ctx context.Context) error {
	x, err := s.probe(false, "a config that was validated with another manifest", unknownName, "null")
	if err != nil {
		return err
	}
	x.target.Config, x.target.ManifestDigest, x.path = s.config, otherDigest, nil
	return s.refused(ctx, []probe{x}, false)
}

// refused demands that every probe is refused: by Validate or Plan, and else, in
// the full tier, by Submit or the verdict of the job.
func (s *suite) refused(ctx context.Context, probes []probe, named bool) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	var wrong, open []error
	for _, x := range probes {
		ds, err := s.validate(ctx, p, x.target, x.step)
		if err != nil {
			return err
		}
		bad := onlyErrors(ds)
		if len(bad) == 0 && s.caps["plan"] {
			r, err := call(ctx, s, "Plan", p.client.Plan, &operatorv1.PlanRequest{Target: x.target, Step: x.step})
			if err != nil {
				return err
			}
			bad = onlyErrors(r.GetDiagnostics())
		}
		switch {
		case len(bad) > 0 && named && !slices.ContainsFunc(bad, func(d *operatorv1.Diagnostic) bool { return x.names(d) }):
			wrong = append(wrong, fmt.Errorf("%s was refused, but no diagnostic names %s: %s", x.what, strings.Join(x.path, "."), describe(bad)))
		case len(bad) > 0:
		case s.c.Tier == Full:
			if err := s.refusedByJob(ctx, p, x); err != nil {
				wrong = append(wrong, err)
			}
		default:
			open = append(open, errors.New(x.what))
		}
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	if len(open) > 0 {
		return absent("needs the full tier: neither Validate nor Plan looks at %s", errors.Join(open...))
	}
	return nil
}

// names tells whether a diagnostic is about the probe's attribute.
func (x probe) names(d *operatorv1.Diagnostic) bool {
	return len(d.GetAttribute()) >= len(x.path) && slices.Equal(d.GetAttribute()[:len(x.path)], x.path) ||
		strings.Contains(d.GetSummary()+d.GetDetail(), x.path[len(x.path)-1])
}

// refusedByJob submits the probe.
func (s *suite) refusedByJob(ctx context.Context, p *process, x probe) error {
	j := &job{s: s, step: x.step, digest: strings.Repeat("ab", 32), sent: true}
	j.witness, j.gate = x.step.Env["PT_WITNESS"], x.step.Env["PT_GATE"]
	s.jobs = append(s.jobs, j)
	r := j.request()
	r.Target = x.target
	answer, err := call(ctx, s, "Submit", p.client.Submit, r)
	if err != nil {
		return err
	}
	if answer.GetAccepted() == nil {
		return nil
	}
	j.accept(answer.GetAccepted())
	end, err := j.verdict(ctx, p)
	if err != nil {
		return err
	}
	if end.GetPhase() == operatorv1.Phase_PHASE_SUCCEEDED {
		return fmt.Errorf("%s was accepted by Validate and Submit, and the step ran", x.what)
	}
	return nil
}
