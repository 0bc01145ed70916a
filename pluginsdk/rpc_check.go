package pluginsdk

import (
	"context"
	"errors"
	"time"

	"github.com/stephost/stephost/pluginsdk/internal/serve"
	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// checkTimeout bounds Validate, Plan, Find, Cancel and RegistryAuth where the
// host set no deadline: somebody waits at a terminal.
const checkTimeout = 60 * time.Second

// Validate runs Validator and, online, Preflighter.
func (s *Server) Validate(ctx context.Context, r *operatorv1.ValidateRequest) (*operatorv1.ValidateResponse, error) {
	ctx, c, err := s.begin(ctx, r.GetTarget(), "Validate")
	if err != nil {
		return &operatorv1.ValidateResponse{Diagnostics: diagnosticsOf(err)}, nil
	}
	ctx, cancel := serve.Bounded(ctx, checkTimeout)
	defer cancel()
	step := stepOf(r.GetStep(), r.GetTarget())
	if c.session.validate != nil {
		err = guard(ctx, "Validate", func() error { return c.session.validate(ctx, step) })
	}
	if r.GetOnline() && c.session.preflight != nil {
		err = errors.Join(err, guard(ctx, "Preflight", func() error { return c.session.preflight(ctx, step) }))
	}
	return &operatorv1.ValidateResponse{Diagnostics: append(diagnosticsOf(err), warningsOf(step)...)}, nil
}

// Plan asks the Planner.
func (s *Server) Plan(ctx context.Context, r *operatorv1.PlanRequest) (*operatorv1.PlanResponse, error) {
	ctx, c, err := s.begin(ctx, r.GetTarget(), "Plan", "run", r.GetStep().GetRunId())
	if err != nil {
		return &operatorv1.PlanResponse{Diagnostics: diagnosticsOf(err)}, nil
	}
	if c.session.plan == nil {
		return nil, absent(capPlan)
	}
	ctx, cancel := serve.Bounded(ctx, checkTimeout)
	defer cancel()
	step := stepOf(r.GetStep(), r.GetTarget())
	var plan Plan
	err = guard(ctx, "Plan", func() (err error) { plan, err = c.session.plan(ctx, step, r.GetOnline()); return err })
	if plan.Format == "" {
		plan.Format = "text"
	}
	return &operatorv1.PlanResponse{
		Request: plan.Request, Format: plan.Format, Notes: plan.Notes,
		Diagnostics: append(diagnosticsOf(err), warningsOf(step)...),
	}, nil
}

// Scope asks the Scoper, always anew.
func (s *Server) Scope(ctx context.Context, r *operatorv1.ScopeRequest) (*operatorv1.ScopeResponse, error) {
	ctx, c, err := s.begin(ctx, r.GetTarget(), "Scope")
	if err != nil {
		return &operatorv1.ScopeResponse{Diagnostics: diagnosticsOf(err)}, nil
	}
	scope, err := s.scopes.resolve(ctx, c, 0)
	if err == nil {
		return &operatorv1.ScopeResponse{Result: &operatorv1.ScopeResponse_Scope{
			Scope: &operatorv1.Scope{Id: scope.ID, Display: scopeText(scope)}}}, nil
	}
	if askOf(err) == nil && classOf(err) == ClassConfig {
		// What a person wrote is wrong: asking again cannot help.
		return &operatorv1.ScopeResponse{Diagnostics: diagnosticsOf(err)}, nil
	}
	return &operatorv1.ScopeResponse{Result: &operatorv1.ScopeResponse_CouldNotAsk{CouldNotAsk: couldNotAsk(err)}}, nil
}

// RegistryAuth asks the RegistryAuthorizer.
func (s *Server) RegistryAuth(ctx context.Context, r *operatorv1.RegistryAuthRequest) (*operatorv1.RegistryAuthResponse, error) {
	ctx, c, err := s.begin(ctx, r.GetTarget(), "RegistryAuth", "registry", r.GetRegistry())
	if err != nil {
		return &operatorv1.RegistryAuthResponse{Diagnostics: diagnosticsOf(err)}, nil
	}
	if c.session.registryAuth == nil {
		return nil, absent(capRegistryAuth)
	}
	ctx, cancel := serve.Bounded(ctx, checkTimeout)
	defer cancel()
	var a RegistryCredentials
	err = guard(ctx, "RegistryAuth", func() (err error) {
		a, err = c.session.registryAuth(ctx, RegistryRequest{
			Registry: r.GetRegistry(), Repository: r.GetRepository(), Push: r.GetPush(), Create: r.GetCreate()})
		return err
	})
	switch {
	case errors.Is(err, ErrNotOurs):
		return &operatorv1.RegistryAuthResponse{NotOurs: true}, nil
	case err != nil:
		return &operatorv1.RegistryAuthResponse{Diagnostics: diagnosticsOf(err)}, nil
	}
	return &operatorv1.RegistryAuthResponse{
		Username: a.Username, Password: &operatorv1.Secret{Value: a.Password.Reveal()},
		ExpiresAt: timestampOf(a.ExpiresAt), Created: a.Created,
	}, nil
}
