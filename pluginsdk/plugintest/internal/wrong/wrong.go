package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/stephost/stephost/pluginsdk"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// wrong is the right server with one rule broken.
type wrong struct {
	*pluginsdk.Server
	mode string

	slots chan struct{} // "stuck"

	mu        sync.Mutex
	submitted map[string]int  // Submits by key, in this process
	inFlight  map[string]int  // those that are running
	cancels   map[string]int  // Cancels by key
	watches   map[string]int  // Watch streams by key
	faked     map[string]bool // Cancels that were not sent, by key
	validates int             // running
	prepared  map[string]bool // runs that were prepared
}

func newWrong(s *pluginsdk.Server, mode string) *wrong {
	return &wrong{Server: s, mode: mode, slots: make(chan struct{}, 4),
		submitted: map[string]int{}, inFlight: map[string]int{}, cancels: map[string]int{}, watches: map[string]int{}, faked: map[string]bool{}, prepared: map[string]bool{}}
}

func (w *wrong) is(modes ...string) bool { return slices.Contains(modes, w.mode) }

// target is the target with what this mode does not look at put right.
func (w *wrong) target(t *operatorv1.Target) *operatorv1.Target {
	t = proto.Clone(t).(*operatorv1.Target)
	if t == nil {
		return nil
	}
	switch {
	case w.is("any-manifest"):
		sum := sha256.Sum256(manifest)
		t.ManifestDigest = "sha256:" + hex.EncodeToString(sum[:])
	case w.is("any-scope"), w.is("moving-scope") && strings.HasPrefix(t.GetScope().GetId(), "fault:"):
		t.Scope = nil
	case w.is("untyped", "unknown-ignored"):
		t.Config = w.values(t.Config, map[string]string{"socket": `"string"`, "password": `"string"`}, `"/nowhere"`)
	}
	return t
}

// values drops what the mode does not look at.
func (w *wrong) values(v *operatorv1.Values, types map[string]string, fallback string) *operatorv1.Values {
	members := map[string]json.RawMessage{}
	if json.Unmarshal(v.GetJson(), &members) != nil {
		return v
	}
	for name, text := range members {
		want, known := types[name]
		switch {
		case w.is("unknown-ignored") && !known:
			delete(members, name)
		case w.is("untyped") && known && string(text) != "null" && kindOf(text) != kindOf(json.RawMessage(want)):
			members[name] = json.RawMessage(fallback)
		}
	}
	text, _ := json.Marshal(members) // was JSON
	return &operatorv1.Values{Json: text, Secrets: v.GetSecrets()}
}

func kindOf(text json.RawMessage) string {
	var v any
	_ = json.Unmarshal(text, &v)
	return fmt.Sprintf("%T", v)
}

func (w *wrong) step(s *operatorv1.Step) *operatorv1.Step {
	if s == nil || !w.is("untyped", "unknown-ignored") {
		return s
	}
	s = proto.Clone(s).(*operatorv1.Step)
	s.Settings = w.values(s.Settings, map[string]string{"count": "1", "flag": "true", "tags": "{}", "nodes": "[]"}, "null")
	return s
}

// GetMetadata is wrong in "version" and "digest".
func (w *wrong) GetMetadata(ctx context.Context, q *operatorv1.GetMetadataRequest) (*operatorv1.GetMetadataResponse, error) {
	r, err := w.Server.GetMetadata(ctx, q)
	switch {
	case w.is("version"):
		r.Version = "9.9.9"
	case w.is("digest"):
		r.ManifestDigest = "sha256:" + hex.EncodeToString(make([]byte, sha256.Size))
	case w.is("stdout"):
		fmt.Println("hello from the flavor")
	}
	return r, err
}

// work is what a call takes while it holds its slot: long beside the way to the plugin,
// on a busy machine too, so that the deadlines of some calls pass in it.
const work = 200 * time.Millisecond

// roomFor is how many calls a crowded plugin has room for.
const roomFor = 40

// Validate is wrong in "panics", "stuck", "crowded", "picky" and "preflight".
func (w *wrong) Validate(ctx context.Context, q *operatorv1.ValidateRequest) (*operatorv1.ValidateResponse, error) {
	switch {
	case w.is("panics") && q.GetTarget() == nil:
		// In a goroutine of its own, where nobody recovers.
		done := make(chan int)
		go func() { done <- len(q.Target.Config.Json) }()
		<-done
	case w.is("stuck"):
		w.slots <- struct{}{}
		select {
		case <-ctx.Done():
			return nil, ctx.Err() // forgets to give the slot back
		case <-time.After(work):
			<-w.slots
		}
	case w.is("crowded"):
		w.mu.Lock()
		w.validates++
		full := w.validates > roomFor
		w.mu.Unlock()
		defer func() { w.mu.Lock(); w.validates--; w.mu.Unlock() }()
		if full {
			return nil, status.Error(codes.ResourceExhausted, "all threads are busy")
		}
		select {
		case <-ctx.Done():
			return nil, status.FromContextError(ctx.Err()).Err()
		case <-time.After(work):
		}
	}
	r, err := w.Server.Validate(ctx, &operatorv1.ValidateRequest{Target: w.target(q.GetTarget()), Step: w.step(q.GetStep()), Online: q.GetOnline()})
	if len(r.GetDiagnostics()) == 0 && q.GetStep() != nil && (w.is("picky") && !q.GetOnline() || w.is("preflight") && q.GetOnline()) {
		r.Diagnostics = []*operatorv1.Diagnostic{{
			Severity: operatorv1.Severity_SEVERITY_ERROR, Summary: "I do not like it", Class: operatorv1.Class_CLASS_CONFIG}}
	}
	return r, err
}

// Plan is wrong in "no-plan", "plan-moves" and "plan-order".
func (w *wrong) Plan(ctx context.Context, q *operatorv1.PlanRequest) (*operatorv1.PlanResponse, error) {
	if w.is("no-plan") {
		return nil, status.Error(codes.Unimplemented, "not yet")
	}
	r, err := w.Server.Plan(ctx, &operatorv1.PlanRequest{Target: w.target(q.GetTarget()), Step: w.step(q.GetStep()), Online: q.GetOnline()})
	if w.is("plan-moves") && r != nil {
		r.Request += fmt.Sprintf("\n# %d", rand.Int64())
	}
	if w.is("plan-order") && r != nil {
		for name := range q.GetStep().GetEnv() {
			r.Request += "\n# " + name
		}
	}
	return r, err
}

// Scope is wrong in "moving-scope" and "plain-projects".
func (w *wrong) Scope(ctx context.Context, q *operatorv1.ScopeRequest) (*operatorv1.ScopeResponse, error) {
	if w.is("plain-projects") && strings.ContainsFunc(q.GetTarget().GetProject(), func(r rune) bool { return r > unicode.MaxASCII }) {
		return &operatorv1.ScopeResponse{Diagnostics: []*operatorv1.Diagnostic{{
			Severity: operatorv1.Severity_SEVERITY_ERROR, Summary: "no such project", Class: operatorv1.Class_CLASS_CONFIG}}}, nil
	}
	r, err := w.Server.Scope(ctx, &operatorv1.ScopeRequest{Target: w.target(q.GetTarget())})
	if s := r.GetScope(); w.is("moving-scope") && s != nil {
		s.Id += fmt.Sprintf(":%d", os.Getpid())
	}
	return r, err
}

// RegistryAuth is wrong in "gives-credentials".
func (w *wrong) RegistryAuth(ctx context.Context, q *operatorv1.RegistryAuthRequest) (*operatorv1.RegistryAuthResponse, error) {
	r, err := w.Server.RegistryAuth(ctx, &operatorv1.RegistryAuthRequest{Target: w.target(q.GetTarget()), Registry: q.GetRegistry()})
	if w.is("gives-credentials") && r.GetNotOurs() {
		return &operatorv1.RegistryAuthResponse{Username: "me", Password: &operatorv1.Secret{Value: "mine"}}, nil
	}
	return r, err
}

var _ operatorv1.StepOperatorServer = (*wrong)(nil)
