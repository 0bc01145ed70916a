package plugintest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func runChecks() []check {
	return []check{
		{id: "run.succeeds", says: "a step that ends well is SUCCEEDED, its handle is small and of a declared version", full: true, jobs: 1, run: (*suite).checkSucceeds},
		{id: "run.fails", says: "a step that exits with 7 is FAILED, class user, exit code 7 where it is known", full: true, jobs: 1, run: (*suite).checkFails},
		{id: "run.argv", says: "argv reaches the process unchanged, nasty arguments included", full: true, sees: true, jobs: 1, run: (*suite).checkArgv},
		{id: "run.env", says: "environment variables and secrets reach the process unchanged", full: true, sees: true, jobs: 1, run: (*suite).checkEnv},
	}
}

func (s *suite) checkSucceeds(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptTrue)
	if err != nil {
		return err
	}
	var wrong []error
	if n := len(j.handle.GetData()); n > maxHandle {
		wrong = append(wrong, fmt.Errorf("the handle has %d bytes, more than %d", n, maxHandle))
	}
	if !slices.Contains(s.m.handles, j.handle.GetVersion()) {
		wrong = append(wrong, fmt.Errorf("the handle has version %d, the manifest lists %v", j.handle.GetVersion(), s.m.handles))
	}
	end, err := j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED)
	if err != nil {
		return errors.Join(append(wrong, err)...)
	}
	if end.ExitCode != nil && end.GetExitCode() != 0 {
		wrong = append(wrong, fmt.Errorf("SUCCEEDED with exit code %d", end.GetExitCode()))
	}
	if a, b := end.GetStartedAt(), end.GetEndedAt(); a != nil && b != nil && b.AsTime().Before(a.AsTime()) {
		wrong = append(wrong, fmt.Errorf("it ended at %s, before its start at %s", b.AsTime(), a.AsTime()))
	}
	return errors.Join(wrong...)
}

func (s *suite) checkFails(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptFail)
	if err != nil {
		return err
	}
	end, err := j.expect(ctx, p, operatorv1.Phase_PHASE_FAILED)
	switch {
	case err != nil:
		return err
	case end.GetClass() != operatorv1.Class_CLASS_USER:
		return fmt.Errorf("the class is %s, expected CLASS_USER: the step's own process failed", end.GetClass())
	case end.ExitCode != nil && end.GetExitCode() != 7:
		return fmt.Errorf("the exit code is %d", end.GetExitCode())
	}
	return nil
}

// nasty are arguments that some backend or shell would change.
func nasty() []string {
	return []string{
		"plain", "", " two  words ", `"double" 'single'`, "$(HOME)", "$HOME ${HOME} `id`", "a$$b$$$$c", "${{inputs.x}}", "{{.x}}",
		"tab\tnewline\nreturn\rend", "*?[a-z]", "--flag=value", "-", "\\back\\slash\\", "a;b&&c|d>e", "\u00fcml\u00e4ut \u2603", "%s%d%%", "!history #comment",
		strings.Repeat("0123456789", 1000),
	}
}

// wrote returns what the step told under each word, from its witness or log.
func (j *job) wrote(ctx context.Context, p *process) (map[string][]string, error) {
	out := map[string][]string{}
	for _, word := range []string{"arg", "env1", "env2", "env3", "env4", "secret"} {
		if j.witness != "" {
			out[word] = j.told(word)
		}
	}
	if j.witness != "" {
		return out, nil
	}
	l := newLogState()
	if err := j.readLog(ctx, p, l, true, nil); err != nil {
		return nil, err
	}
	for line := range strings.Lines(l.stream("stdout")) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		out[word] = append(out[word], rest)
	}
	return out, nil
}

func (s *suite) checkArgv(ctx context.Context) error {
	p, j, err := s.begin(ctx, scriptHex, nasty()...)
	if err != nil {
		return err
	}
	if _, err := j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
		return err
	}
	got, err := j.wrote(ctx, p)
	if err != nil {
		return err
	}
	var wrong []error
	if len(got["arg"]) != len(nasty()) {
		wrong = append(wrong, fmt.Errorf("%d arguments arrived, %d were sent", len(got["arg"]), len(nasty())))
	}
	for i, want := range nasty() {
		if i < len(got["arg"]) && got["arg"][i] != hex.EncodeToString([]byte(want)) {
			wrong = append(wrong, arrived(fmt.Sprintf("argument %d", i+1), want, got["arg"][i]))
		}
	}
	return errors.Join(wrong...)
}

func (s *suite) checkEnv(ctx context.Context) error {
	p, err := s.plugin(ctx)
	if err != nil {
		return err
	}
	j, err := s.newJob(scriptHex)
	if err != nil {
		return err
	}
	want := map[string]string{"env1": "$(PT_KEY) $$ ${{x}} `id` \"quoted\" 'too'", "env2": "two\nlines\tand a tab", "env3": "\u00fcml\u00e4ut =equals= #"}
	j.step.Env["PT_E1"], j.step.Env["PT_E2"], j.step.Env["PT_E3"], j.step.Env["PT_E4"] = want["env1"], want["env2"], want["env3"], ""
	want["secret"] = ""
	if s.m.secrets != "none" {
		want["secret"] = "pt-secret-$(x)-" + randomName()
		j.step.Secrets = map[string]*operatorv1.Secret{"PT_SECRET": {Value: want["secret"]}}
		s.secrets = append(s.secrets, want["secret"])
	}
	if err := j.start(ctx, p); err != nil {
		return err
	}
	s.spoken = append(s.spoken, string(j.handle.GetData()))
	if _, err := j.expect(ctx, p, operatorv1.Phase_PHASE_SUCCEEDED); err != nil {
		return err
	}
	got, err := j.wrote(ctx, p)
	if err != nil {
		return err
	}
	var wrong []error
	for _, word := range []string{"env1", "env2", "env3", "secret"} {
		if text := strings.Join(got[word], "?"); text != hex.EncodeToString([]byte(want[word])) {
			if word == "secret" {
				wrong = append(wrong, errors.New("the secret did not arrive as it was sent"))
				continue
			}
			wrong = append(wrong, arrived("the variable "+word, want[word], text))
		}
	}
	if text := strings.Join(got["env4"], "?"); text != "" {
		wrong = append(wrong, fmt.Errorf("a variable with an empty value arrived as %q", printable(text, maxWord)))
	}
	return errors.Join(wrong...)
}

// arrived tells what became of a value.
func arrived(what, want, gotHex string) error {
	got, err := hex.DecodeString(gotHex)
	if err != nil {
		return fmt.Errorf("%s arrived as %q", what, printable(gotHex, maxWord))
	}
	return fmt.Errorf("%s was sent as %q and arrived as %q", what, printable(want, 80), printable(string(got), 80))
}
