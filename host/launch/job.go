package launch

import (
	"context"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"

	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/schema"
)

// jobRequest is what the calls about a submitted job have in common. It is a
// copy, so that the streams' goroutines do not touch the record.
type jobRequest struct {
	id          string
	handle      *operatorv1.Handle
	key         string
	base        *operatorv1.Target
	credentials map[string]string // references
}

func (d *drive) jobRequest() jobRequest { return d.requestFor(len(d.claim.Run().Attempts) - 1) }

// requestFor is the same for the attempt at index i.
func (d *drive) requestFor(i int) jobRequest { return requestOf(d.claim.Run(), d.plan, i) }

func requestOf(r *runs.Run, p plan, i int) jobRequest {
	a := r.Attempts[i]
	return jobRequest{
		id: r.ID, key: a.Key, handle: &operatorv1.Handle{Version: a.HandleVersion, Data: a.Handle},
		base: &operatorv1.Target{
			Operator: r.Operator, FlavorVersion: r.Pin.Version, ManifestDigest: r.Pin.ManifestDigest,
			Config: &operatorv1.Values{Json: p.Step.Config},
			Scope:  &operatorv1.Scope{Id: r.Pin.ScopeID, Display: r.Pin.ScopeDisplay}, Project: p.Step.Project,
		},
		credentials: p.Step.SecretConfig,
	}
}

// target resolves the operator's credentials anew.
func (q jobRequest) target(ctx context.Context, r schema.Resolver) (*operatorv1.Target, *missingSecret) {
	secrets, missing := secretValues(ctx, q.credentials, r)
	if missing != nil {
		return nil, missing
	}
	return &operatorv1.Target{
		Operator: q.base.GetOperator(), FlavorVersion: q.base.GetFlavorVersion(), ManifestDigest: q.base.GetManifestDigest(),
		Config: &operatorv1.Values{Json: q.base.GetConfig().GetJson(), Secrets: secrets},
		Scope:  q.base.GetScope(), Project: q.base.GetProject(),
	}, nil
}
