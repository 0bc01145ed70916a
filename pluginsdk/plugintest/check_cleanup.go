package plugintest

import (
	"context"
	"errors"
	"fmt"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func cleanupChecks() []check {
	return []check{
		{id: "cleanup.leftovers", says: "Cleanup of leftovers may be repeated, and the verdict stays readable", full: true, can: []string{"cleanup"}, jobs: 1, run: (*suite).checkLeftovers},
		{id: "cleanup.record", says: "Cleanup of the record may be repeated", full: true, can: []string{"cleanup"}, jobs: 1, run: (*suite).checkRecord},
	}
}

// cleanup cleans up twice.
func (j *job) cleanup(ctx context.Context, p *process, what operatorv1.CleanupRequest_What) error {
	for _, time := range []string{"the first time", "the second time"} {
		r, err := call(ctx, j.s, "Cleanup", p.client.Cleanup, &operatorv1.CleanupRequest{Target: j.s.target(), Handle: j.handle, Key: j.step.Key, What: what})
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", time, err)
		case r.GetCouldNotAsk() != nil:
			return fmt.Errorf("%s: %s", time, describeAsk(r.GetCouldNotAsk()))
		case len(onlyErrors(r.GetDiagnostics())) > 0:
			return fmt.Errorf("%s: %s", time, describe(r.GetDiagnostics()))
		}
	}
	return nil
}

func (s *suite) checkLeftovers(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptTrue)
	if err != nil {
		return err
	}
	if _, err := j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
		return err
	}
	if err := j.cleanup(ctx, p, operatorv1.CleanupRequest_WHAT_LEFTOVERS); err != nil {
		return err
	}
	_, err = j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED)
	return err
}

func (s *suite) checkRecord(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptTrue)
	if err != nil {
		return err
	}
	if _, err := j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
		return err
	}
	return j.cleanup(ctx, p, operatorv1.CleanupRequest_WHAT_RECORD)
}

func closingChecks() []check {
	return []check{
		{id: "process.stdout", says: "nothing but the handshake line stands on standard output", closing: true, run: (*suite).checkStdout},
		{id: "process.left-behind", says: "a process that ends in order leaves neither processes nor its socket", closing: true, run: (*suite).checkLeftBehind},
		{id: "secrets.quiet", says: "no secret value stands in the plugin's log or in what it says", closing: true, run: (*suite).checkQuiet},
	}
}

func (s *suite) checkStdout(context.Context) error {
	for _, p := range s.processes {
		if text := p.stdout.String(); text != "" {
			return fmt.Errorf("it printed %q", printable(text, maxWord))
		}
	}
	return nil
}

func (s *suite) checkLeftBehind(context.Context) error {
	var wrong []error
	for _, p := range s.processes {
		for _, what := range p.leftovers {
			if p.orderly {
				wrong = append(wrong, errors.New("it left "+what))
			}
		}
	}
	return errors.Join(wrong...)
}

func (s *suite) checkQuiet(context.Context) error {
	if len(s.secrets) == 0 {
		return absent(`needs a secret: the full tier and a manifest whose secrets are not "none", or a value of a sensitive attribute`)
	}
	var wrong []error
	for _, p := range s.processes {
		wrong = append(wrong, quiet(s.secrets, "the plugin's standard error", p.stderr.String()))
	}
	for _, text := range s.spoken {
		wrong = append(wrong, quiet(s.secrets, "an answer of the plugin: "+printable(redact(text, s.secrets), maxWord), text))
	}
	return errors.Join(wrong...)
}
