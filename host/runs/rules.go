package runs

import (
	"bytes"
	"fmt"
	"reflect"
	"time"

	"github.com/stephost/stephost/host/problem"
)

// check says whether a run may become what a claim made of it, and fills the
// times that follow from the step. again: the run was closed and is reopened.
func check(before, after *Run, again bool, at time.Time) error {
	if err := checkFinal(before, after, again); err != nil {
		return err
	}
	if err := checkAttempts(before, after, again); err != nil {
		return err
	}
	if err := checkState(before, after, again); err != nil {
		return err
	}
	stamp(before, after, at)
	return nil
}

// checkFinal guards what is stored for good.
func checkFinal(before, after *Run, again bool) error {
	final := func(field string) error { return &FinalError{Run: before.ID, Field: field} }
	switch {
	case before.ID != after.ID, before.Token != after.Token, before.TokenGiven != after.TokenGiven:
		return final("the name")
	case before.Operator != after.Operator, before.Step != after.Step, before.Pipeline != after.Pipeline, before.PipelineRun != after.PipelineRun:
		return final("operator, step or pipeline")
	case !bytes.Equal(before.Definition, after.Definition), before.DefinitionDigest != after.DefinitionDigest:
		return final("the definition")
	case before.OwnerID != after.OwnerID, before.Fence != after.Fence, !reflect.DeepEqual(before.Owner, after.Owner):
		return final("the owner (it changes by Claim and Release)")
	case again:
		return nil
	case before.Verdict != nil && !reflect.DeepEqual(before.Verdict, after.Verdict):
		return final("the verdict")
	}
	if was := before.Intent; was != nil {
		is := after.Intent
		if is == nil || is.Cause != was.Cause || is.By != was.By || !is.At.Equal(was.At) || was.Force && !is.Force {
			return final("the cancel intent")
		}
	}
	return nil
}

func checkAttempts(before, after *Run, again bool) error {
	added := len(after.Attempts) - len(before.Attempts)
	if added < 0 {
		return &FinalError{Run: before.ID, Field: "the list of attempts"}
	}
	for i := range before.Attempts {
		if err := checkAttempt(before.ID, &before.Attempts[i], &after.Attempts[i]); err != nil {
			return err
		}
	}
	if again && added != 1 {
		return &TransitionError{Run: before.ID, From: before.State, To: after.State, Rule: "reopening starts one attempt"}
	}
	if added == 0 {
		return nil
	}
	number := len(before.Attempts)
	if added > 1 || after.Attempts[number].Number != number+1 || after.Attempts[number].Key == "" {
		return &NotOverError{Run: before.ID, Attempt: number, Reason: "attempts are numbered from 1, are added one at a time and have a key"}
	}
	if number == 0 {
		return nil
	}
	// The old attempt as it is stored by this very transaction.
	if reason := notOver(&after.Attempts[number-1]); reason != "" {
		return &NotOverError{Run: before.ID, Attempt: number, Reason: reason}
	}
	if after.Intent != nil {
		return &NotOverError{Run: before.ID, Attempt: number, Reason: "a cancel is wanted"}
	}
	if after.State != Preparing {
		return &TransitionError{Run: before.ID, From: before.State, To: after.State, Rule: "a new attempt starts with preparing"}
	}
	return nil
}

// notOver says why it is not certain that nothing of an attempt runs any more,
// or "".
func notOver(a *Attempt) string {
	switch {
	case a.Resolution != "":
		return ""
	case a.Verdict == nil:
		return "it has no verdict"
	case a.Verdict.CancelUnconfirmed && a.CancelConfirmedAt.IsZero():
		return "its cancel is not confirmed"
	case a.Verdict.Class == string(problem.Lost) || a.Verdict.Class == string(problem.Unknown):
		return "whether it still runs is not known"
	}
	return ""
}

func checkAttempt(run string, was, is *Attempt) error {
	final := func(field string) error {
		return &FinalError{Run: run, Field: fmt.Sprintf("%s of attempt %d", field, was.Number)}
	}
	switch {
	case was.Number != is.Number, was.Key != is.Key:
		return final("the key")
	case was.Verdict != nil && !reflect.DeepEqual(was.Verdict, is.Verdict):
		return final("the verdict")
	case len(was.Handle) > 0 && (!bytes.Equal(was.Handle, is.Handle) || was.HandleVersion != is.HandleVersion):
		return final("the handle")
	case was.Resolution != "" && was.Resolution != is.Resolution:
		return final("the resolution")
	}
	if was.SubmittingAt.IsZero() {
		return nil
	}
	switch {
	case !bytes.Equal(was.Request, is.Request), !bytes.Equal(was.Prepared, is.Prepared), was.RequestDigest != is.RequestDigest:
		return final("the request")
	case !was.SubmittingAt.Equal(is.SubmittingAt):
		return final("the time of submission")
	}
	return nil
}

func checkState(before, after *Run, again bool) error {
	broken := func(rule string) error {
		return &TransitionError{Run: before.ID, From: before.State, To: after.State, Rule: rule}
	}
	if after.State.Over() != (after.Verdict != nil) {
		return broken("a verdict and the states behind it come together")
	}
	if again {
		if after.State != Preparing {
			return broken("reopening starts with preparing")
		}
		return nil
	}
	if after.State == before.State {
		return nil
	}
	if !mayFollow(before.State, after.State) {
		return broken("")
	}
	cur := after.Current()
	switch after.State {
	case Submitting:
		switch {
		case cur == nil || len(cur.Request) == 0 || cur.RequestDigest == "":
			return broken("the request is not stored")
		case after.Intent != nil:
			return broken("a cancel is wanted")
		case cur.Verdict != nil:
			return broken("the attempt is over")
		}
	case Submitted:
		if cur == nil || len(cur.Handle) == 0 {
			return broken("there is no handle")
		}
		if cur.SubmittingAt.IsZero() {
			return broken("nothing was submitted")
		}
	case Preparing, Prepared:
		// "Not submitted yet" must never be said of an attempt that may exist.
		if cur != nil && !cur.SubmittingAt.IsZero() {
			return broken("the attempt was submitted; going back takes a new one")
		}
	}
	return nil
}

// stamp fills the times that a change of state implies.
func stamp(before, after *Run, at time.Time) {
	after.UpdatedAt = at
	cur := after.Current()
	if after.Verdict != nil && before.Verdict == nil {
		if after.Verdict.At.IsZero() {
			after.Verdict.At = at
		}
		after.VerdictAt = at
		if cur != nil && cur.Verdict == nil {
			v := *after.Verdict
			cur.Verdict = &v
		}
	}
	if after.Intent != nil && after.Intent.At.IsZero() {
		after.Intent.At = at
	}
	if after.State == before.State {
		return
	}
	switch after.State {
	case Submitting:
		if cur.SubmittingAt.IsZero() {
			cur.SubmittingAt = at
		}
	case Submitted:
		if cur.SubmittedAt.IsZero() {
			cur.SubmittedAt = at
		}
	case Closed:
		after.ClosedAt = at
		after.OwnerID, after.Owner = "", nil
	}
}

// durable says that a change holds something that must outlive a power cut.
func durable(before, after *Run) bool {
	if before.State != Submitting && after.State == Submitting ||
		before.Verdict == nil && after.Verdict != nil ||
		!reflect.DeepEqual(before.Intent, after.Intent) ||
		len(before.Attempts) > 0 && len(after.Attempts) > len(before.Attempts) {
		return true
	}
	for i := range after.Attempts {
		a := &after.Attempts[i]
		if i >= len(before.Attempts) {
			continue
		}
		b := &before.Attempts[i]
		if len(b.Handle) == 0 && len(a.Handle) > 0 || b.Verdict == nil && a.Verdict != nil || b.Resolution != a.Resolution {
			return true
		}
	}
	return false
}
