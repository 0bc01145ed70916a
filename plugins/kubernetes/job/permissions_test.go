package job

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// grant gives the context "limited" permissions in the namespace.
func (h *harness) grant(name string, verbs, resources string) {
	h.t.Helper()
	user := strings.TrimSpace(h.kubectl("auth", "whoami", "--context=limited", "-o", "jsonpath={.status.userInfo.username}"))
	h.kubectl("create", "role", name, "-n", h.namespace, "--verb="+verbs, "--resource="+resources)
	h.kubectl("create", "rolebinding", name, "-n", h.namespace, "--role="+name, "--user="+user)
	h.wait("the permission", func() bool {
		out, _ := h.up.Kubectl(h.ctx(), "auth", "can-i", strings.Split(verbs, ",")[0], strings.Split(resources, ",")[0], "--context=limited", "-n", h.namespace).Output()
		return strings.TrimSpace(string(out)) == "yes"
	})
}

// Who may create Jobs and no Secrets leaves nothing behind.
func TestAJobThatCannotHaveItsSecret(t *testing.T) {
	h := newHarness(t)
	h.grant("jobs", "create,get,list,patch,delete", "jobs.batch")
	s := h.secretStep("stuck")
	r, err := h.client.Submit(h.ctx(), &operatorv1.SubmitRequest{Target: h.targetOf(map[string]any{"context": "limited"}), Step: s, RequestDigest: digest()})
	require.NoError(t, err)
	require.NotNil(t, r.GetNotSent(), "%v", r)
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_AUTH, r.GetNotSent().CouldNotAsk.Reason)
	assert.Contains(t, r.Diagnostics[0].Summary+r.Diagnostics[0].Detail, "secrets")
	h.wait("the Job to go", func() bool { return h.findKey(s.Key).Outcome == operatorv1.FindResponse_OUTCOME_ABSENT })
	// With the permission the same key is as good as new.
	h.grant("secrets", "create,get,delete", "secrets")
	r, err = h.client.Submit(h.ctx(), &operatorv1.SubmitRequest{Target: h.targetOf(map[string]any{"context": "limited"}), Step: s, RequestDigest: digest()})
	require.NoError(t, err)
	require.NotNil(t, r.GetAccepted(), "%v", r)
	assert.False(t, r.GetAccepted().Existing)
}

// Who may not read kube-system is told the cluster by the namespace's own UID.
func TestScopeOfALimitedUser(t *testing.T) {
	h := newHarness(t)
	scope := func() *operatorv1.ScopeResponse {
		r, err := h.client.Scope(h.ctx(), &operatorv1.ScopeRequest{Target: h.targetOf(map[string]any{"context": "limited"})})
		require.NoError(t, err)
		return r
	}
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_AUTH, scope().GetCouldNotAsk().GetReason())
	h.grant("namespace", "get", "namespaces")
	uid, err := h.api.NamespaceUID(h.ctx(), h.namespace)
	require.NoError(t, err)
	assert.Equal(t, "kubernetes:namespace:"+string(uid)+":"+h.namespace, scope().GetScope().GetId())
	assert.Contains(t, scope().GetScope().GetDisplay(), h.namespace)
}

func TestScopeIsTheClusterAndTheNamespace(t *testing.T) {
	h := newHarness(t)
	uid := strings.TrimSpace(h.kubectl("get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}"))
	assert.Equal(t, "kubernetes:"+uid+":"+h.namespace, h.target.Scope.Id)
}
