//go:build !front

package cli

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/stephost/stephost/host/runs"
)

func itoa(n int) string { return strconv.Itoa(n) }

// runItem is a run for programs, without the story.
type runItem struct {
	ID          string                     `json:"run"`
	Token       string                     `json:"token"`
	Step        string                     `json:"step,omitempty"`
	Operator    string                     `json:"operator"`
	Flavor      string                     `json:"flavor"`
	Version     string                     `json:"flavor_version"`
	Pipeline    string                     `json:"pipeline,omitempty"`
	PipelineRun string                     `json:"pipeline_run,omitempty"`
	Labels      map[string]string          `json:"labels,omitempty"`
	State       string                     `json:"state"`
	StateReason string                     `json:"state_reason,omitempty"`
	Scope       string                     `json:"scope,omitempty"`
	Detached    bool                       `json:"detached,omitempty"`
	Owner       *ownerItem                 `json:"owner,omitempty"`
	Cancel      *runs.Intent               `json:"cancel,omitempty"`
	Verdict     *runs.Verdict              `json:"verdict,omitempty"`
	Values      map[string]json.RawMessage `json:"values,omitempty"`
	Attempts    []attemptItem              `json:"attempts"`
	CreatedAt   time.Time                  `json:"created_at"`
	VerdictAt   time.Time                  `json:"verdict_at,omitzero"`
	ClosedAt    time.Time                  `json:"closed_at,omitzero"`
}

type ownerItem struct {
	PID       int       `json:"pid"`
	Host      string    `json:"host,omitempty"`
	StartedAt time.Time `json:"started_at,omitzero"`
}

// attemptItem is one attempt; the handle, which is the plugin's own, is left
// out.
type attemptItem struct {
	Number      int           `json:"number"`
	Key         string        `json:"key"`
	NativeName  string        `json:"native_name,omitempty"`
	URL         string        `json:"url,omitempty"`
	Existing    bool          `json:"existing,omitempty"`
	Phase       string        `json:"phase,omitempty"`
	Reason      string        `json:"reason,omitempty"`
	Message     string        `json:"message,omitempty"`
	NativeState string        `json:"native_state,omitempty"`
	Restarts    int32         `json:"restarts,omitempty"`
	SubmittedAt time.Time     `json:"submitted_at,omitzero"`
	StartedAt   time.Time     `json:"started_at,omitzero"`
	EndedAt     time.Time     `json:"ended_at,omitzero"`
	ObservedAt  time.Time     `json:"observed_at,omitzero"`
	PhaseSince  time.Time     `json:"phase_since,omitzero"`
	Verdict     *runs.Verdict `json:"verdict,omitempty"`
	Resolution  string        `json:"resolution,omitempty"`
}

func runItems(list []*runs.Run) []runItem {
	out := make([]runItem, len(list))
	for i, r := range list {
		out[i] = itemOf(r)
	}
	return out
}

func itemOf(r *runs.Run) runItem {
	it := runItem{ID: r.ID, Token: r.Token, Step: r.Step, Operator: r.Operator, Flavor: r.Pin.Flavor, Version: r.Pin.Version,
		Pipeline: r.Pipeline, PipelineRun: r.PipelineRun, Labels: r.Labels, State: string(r.State), StateReason: r.StateReason,
		Scope: r.Pin.ScopeDisplay, Detached: r.Detached, Cancel: r.Intent, Verdict: r.Verdict, Values: r.Values,
		Attempts: []attemptItem{}, CreatedAt: r.CreatedAt, VerdictAt: r.VerdictAt, ClosedAt: r.ClosedAt}
	if r.OwnerID != "" && r.Owner != nil {
		it.Owner = &ownerItem{PID: r.Owner.PID, Host: r.Owner.Host, StartedAt: r.Owner.StartedAt}
	}
	for _, t := range r.Attempts {
		it.Attempts = append(it.Attempts, attemptItem{Number: t.Number, Key: t.Key, NativeName: t.NativeName, URL: t.URL, Existing: t.Existing,
			Phase: t.Phase, Reason: t.Reason, Message: t.Message, NativeState: t.NativeState, Restarts: t.Restarts,
			SubmittedAt: t.SubmittedAt, StartedAt: t.StartedAt, EndedAt: t.EndedAt, ObservedAt: t.ObservedAt, PhaseSince: t.PhaseSince,
			Verdict: t.Verdict, Resolution: t.Resolution})
	}
	return it
}
