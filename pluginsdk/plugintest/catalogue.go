package plugintest

import (
	"context"
	"slices"
	"strings"
)

// check is one sentence of the contract.
type check struct {
	id, says string
	// full: it needs a backend.
	full bool
	// can are capabilities that it needs.
	can []string
	// key: it needs idempotency = "key".
	key bool
	// kind of flavor that it is about; "" = both.
	kind Kind
	// counts: it needs a way to count jobs.
	counts bool
	// sees: it needs a way to see what the step printed.
	sees bool
	// fault that it needs.
	fault Fault
	// previous: it needs Config.Previous.
	previous bool
	// deletes: it needs Config.Delete.
	deletes bool
	// jobs that it starts.
	jobs int
	// times JobTimeout is what one of them may take; 0 = once.
	times int
	// closing checks come last and judge what the others left.
	closing bool
	run     func(s *suite, ctx context.Context) error
}

// catalogue are all checks in the order in which they run.
func catalogue() []check {
	return slices.Concat(identityChecks(), processChecks(), valueChecks(), planChecks(), runChecks(),
		submitChecks(), findChecks(), watchChecks(), cancelChecks(), logChecks(), outputChecks(), cleanupChecks(), migrateChecks(), closingChecks())
}

// missing says what a check needs and has not; "" = nothing.
func (s *suite) missing(x check) string {
	var why []string
	need := func(ok bool, what string) {
		if !ok {
			why = append(why, what)
		}
	}
	need(!x.full || s.c.Tier == Full, "the full tier")
	for _, name := range x.can {
		need(s.caps[name], "the capability "+name)
	}
	need(!x.key || s.m.idempotency == "key", `idempotency = "key"`)
	need(x.kind == "" || x.kind == s.c.Kind, "a flavor of the kind "+string(x.kind))
	need(!x.counts || s.c.Witness != "" || s.c.List != nil, "a way to count jobs: Config.Witness or Config.List")
	need(!x.sees || s.c.Witness != "" || s.caps["logs"], "a way to see what a step prints: the capability logs or Config.Witness")
	need(x.fault == "" || s.c.Fault != nil, "a backend that misbehaves on request: Config.Fault")
	need(!x.previous || s.c.Previous != nil, "an earlier version of the flavor: Config.Previous")
	need(!x.deletes || s.c.Delete != nil, "a way to delete a job at the backend: Config.Delete")
	if len(why) == 0 {
		return ""
	}
	return "needs " + strings.Join(why, ", and ")
}

func known(id string) bool {
	return slices.ContainsFunc(catalogue(), func(x check) bool { return x.id == id })
}

func knownPrefix(p string) bool {
	return p != "" && slices.ContainsFunc(catalogue(), func(x check) bool { return strings.HasPrefix(x.id, p) })
}

// Catalogue are all checks, for documents.
func Catalogue() []Planned {
	var out []Planned
	for _, x := range catalogue() {
		out = append(out, Planned{ID: x.id, Says: x.says, Jobs: x.jobs})
	}
	return out
}
