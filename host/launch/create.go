package launch

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
)

// Request asks for a run.
type Request struct {
	Flavor   *Flavor
	Operator string
	Step     *project.Resolved
	// Token names the run; "" lets the host make one.
	Token string
	// First says that nothing was ever submitted with a given token.
	First bool
	// Again wants another attempt where the token's job, which another home may have
	// launched, has ended without success.
	Again    bool
	Detached bool
}

// Create stores a new run, or finds the one that the token names already
// (created = false). A run of another definition under the same token is a
// *DifferentDefinitionError.
func (s *Supervisor) Create(ctx context.Context, q Request) (r *runs.Run, created bool, err error) {
	if !utf8.ValidString(q.Token) {
		return nil, false, &problem.Error{Summary: fmt.Sprintf("the run token %q is no UTF-8 text", q.Token), Class: problem.Config,
			Next: "use another --run-token"}
	}
	definition := q.Step.Definition()
	p, err := json.Marshal(plan{Step: q.Step, First: q.First, Again: q.Again, Marks: marksOf(ctx, q.Step, s.o.Resolver)})
	if err != nil {
		return nil, false, fmt.Errorf("encoding the step: %w", err)
	}
	m := q.Flavor.Manifest
	claim, r, err := s.o.Store.CreateClaimed(ctx, runs.NewRun{
		Token: q.Token, Operator: q.Operator, Step: q.Step.Name, Pipeline: q.Step.Pipeline, PipelineRun: q.Step.PipelineRun,
		Labels: q.Step.Labels, Definition: definition, DefinitionDigest: digest(definition),
		Pin:  runs.Pin{Flavor: m.Name, Version: m.Version, ArtifactSHA256: q.Flavor.ArtifactSHA256, ManifestDigest: m.Digest},
		Plan: p, Detached: q.Detached,
	}, s.o.Owner)
	if err != nil {
		return nil, false, err
	}
	if created = claim != nil; created {
		f := &owned{claim: claim, flavor: q.Flavor}
		if err := s.openLog(f); err != nil {
			return nil, false, s.notBegun(ctx, f, err)
		}
		s.mu.Lock()
		s.fresh[r.ID] = f
		s.mu.Unlock()
	}
	// A run that was found at the backend by its token alone has no definition.
	if !created && len(r.Definition) > 0 && r.DefinitionDigest != digest(definition) {
		return r, false, &DifferentDefinitionError{Run: r, Diff: differences(r.Definition, definition)}
	}
	return r, created, nil
}

// notBegun ends a run that was stored and cannot be begun: whoever launched it hears that
// it failed, and launches again.
func (s *Supervisor) notBegun(ctx context.Context, f *owned, cause error) error {
	defer s.giveBack(f)
	failed := &problem.Error{Summary: "the run's log cannot be made", Run: f.claim.Run().ID, Phase: string(runs.Created), Class: problem.System,
		Err: cause, Next: "make room, or give the rights, and launch again; nothing was sent"}
	err := f.claim.Update(ctx, runs.Durable, func(r *runs.Run) ([]runs.Event, error) {
		v := runs.Verdict{Class: string(problem.System), Phase: phaseFailed, Reason: "not begun", Message: problem.Bound(cause.Error(), 4<<10), At: s.o.Now()}
		r.Attempts = append(r.Attempts, runs.Attempt{Number: 1, Key: Key(r.Token, 1)})
		r.Verdict, r.State = &v, runs.Ended
		return []runs.Event{moved("%s", verdictText(v))}, nil
	})
	if err != nil {
		failed.Detail = "That it ended cannot be stored either: " + err.Error()
		failed.Next = "cancel it before you launch again, or it is gone on with: stephost run cancel " + f.claim.Run().ID
	}
	return failed
}

// differences is what two definitions say differently, a line each.
func differences(old, now []byte) string {
	diff, err := project.DiffDefinitions(old, now)
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, d := range diff {
		fmt.Fprintf(&b, "%s: %s, then %s\n", d.Path, orElse(d.Old, "not set"), orElse(d.New, "not set"))
	}
	return problem.Bound(b.String(), 4<<10)
}

// Again starts the next attempt of a closed run that did not succeed: the same
// token, asked for once more on purpose.
func (s *Supervisor) Again(ctx context.Context, id string) error {
	claim, err := s.o.Store.Claim(ctx, id, s.o.Owner, runs.ClaimOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = claim.Release(ctx) }()
	if v := claim.Run().Verdict; v == nil || v.Class == runs.ClassSucceeded {
		return nil
	}
	return claim.Again(ctx, func(r *runs.Run) ([]runs.Event, error) {
		n := len(r.Attempts) + 1
		r.Attempts = append(r.Attempts, runs.Attempt{Number: n, Key: Key(r.Token, n), Asked: true})
		return []runs.Event{event("again", "attempt %d was asked for", n)}, nil
	})
}

// Detach marks a run that nobody owns as one that the follower shall drive.
func (s *Supervisor) Detach(ctx context.Context, id string) error {
	claim, err := s.o.Store.Claim(ctx, id, s.o.Owner, runs.ClaimOptions{})
	if err != nil {
		return err
	}
	defer func() { _ = claim.Release(ctx) }()
	return claim.Update(ctx, runs.Durable, func(r *runs.Run) ([]runs.Event, error) {
		r.Detached = true
		return []runs.Event{event("detached", "left to the background")}, nil
	})
}

// Resolution is a person's word about a run that is unknown.
type Resolution struct {
	// Exactly one of these.
	Handle       []byte // this is the job, in the flavor's own words
	NotSubmitted bool   // there is no job
	Abandon      bool   // whatever there is, stephost forgets it
	// By says who gave the word.
	By string
}

// Resolve ends an unknown submission by a person's word. With a handle the run
// goes on; else it ends.
func (s *Supervisor) Resolve(ctx context.Context, id string, w Resolution) (*runs.Run, error) {
	claim, err := s.o.Store.Claim(ctx, id, s.o.Owner, runs.ClaimOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = claim.Release(ctx) }()
	if st := claim.Run().State; st != runs.Unknown && st != runs.Submitting {
		return claim.Run(), &problem.Error{Summary: fmt.Sprintf("nothing to resolve: the run is %s", st), Run: claim.Run().ID,
			Next: "see it with `stephost run show " + claim.Run().ID + "`"}
	}
	err = claim.Update(ctx, runs.Durable, func(r *runs.Run) ([]runs.Event, error) {
		a := current(r)
		v := runs.Verdict{Phase: phaseFailed, At: s.o.Now()}
		switch {
		case w.Handle != nil:
			r.State, r.StateReason = runs.Submitted, ""
			a.Handle, a.SubmittedAt, a.Existing = w.Handle, s.o.Now(), true
			return []runs.Event{moved("%s says which job it is", w.By)}, nil
		case w.NotSubmitted:
			a.Resolution = "not submitted, says " + w.By
			v.Class, v.Reason, v.Message = string(problem.System), "not submitted", a.Resolution
		default:
			a.Resolution = "abandoned by " + w.By
			v.Class, v.Phase, v.Reason, v.Message = string(problem.Lost), phaseLost, "abandoned", a.Resolution
		}
		a.Verdict, r.Verdict = &v, &v
		r.State, r.StateReason = runs.Ended, ""
		return []runs.Event{moved("%s", v.Message)}, nil
	})
	return claim.Run(), err
}
