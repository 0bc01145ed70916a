package kube

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDual: pods reach what the test serves, and the API server, by either kind of
// address.
func TestDual(t *testing.T) {
	c := start(t, options{node: true, dual: true})
	require.NotEmpty(t, c.Server6, "a kernel without IPv6 cannot run this test; see sysctl net.ipv6.conf.all.disable_ipv6")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host+" ") }))
	t.Cleanup(server.Close)
	outside := server.Listener.Addr().String()
	_, port, err := net.SplitHostPort(outside)
	require.NoError(t, err)
	host6 := strings.TrimSuffix(strings.TrimPrefix(c.Server6, "https://["), "]:443")
	places := []string{net.JoinHostPort(NodeAddress, port), net.JoinHostPort(host6, port)}
	for _, inside := range places {
		exposed, err := c.Expose(inside, outside)
		require.NoError(t, err)
		t.Cleanup(func() { _ = exposed.Close() })
	}
	_, err = c.Expose(places[0], outside)
	require.ErrorContains(t, err, places[0])

	kubectl(t, c, "create", "job", "j", "--image="+c.Image, "--", "sh", "-c", fmt.Sprintf("wget -q -O - http://%s/ && wget -q -O - http://%s/", places[0], places[1]))
	kubectl(t, c, "wait", "--for=condition=complete", "job/j", "--timeout=1m")
	assert.Equal(t, strings.Join(places, " "), kubectl(t, c, "logs", "job/j"))

	ready := func() (string, error) {
		out, err := c.Command(t.Context(), c.KubectlPath, "--kubeconfig", c.Kubeconfig, "--server", c.Server6, "get", "--raw", "/readyz").CombinedOutput()
		return string(out), err
	}
	out, err := ready()
	require.NoError(t, err, out)
	assert.Equal(t, "ok", out, "the address is in the server's certificate")
	c.Kill(t, APIServer)
	out, err = ready()
	require.Error(t, err)
	assert.Contains(t, out, "refused", "the relay does not accept for a dead server")
	c.Restart(t, APIServer)
	out, err = ready()
	require.NoError(t, err, out)
}
