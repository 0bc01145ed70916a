package cli_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/fault"
)

// buildHang ends what does not come back; it is no expectation of speed.
const buildHang = 5 * time.Minute

// A plan starts the plugin, shows the native request and where each value comes
// from, and sends nothing: no backend is there that could get it.
func TestPlan(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(context.Background(), buildHang)
	defer cancel()
	programs, err := fault.Build(ctx)
	require.NoError(t, err)
	plugin, err := programs.Install(w.base, "key")
	require.NoError(t, err)
	r := w.run("flavor", "register", plugin)
	require.Zero(t, r.code, r.err)
	w.write("stephost.hcl", `operator "there" {
  flavor = "fault-key"
  config {
    socket = "/nowhere/socket"
  }
}

step "train" {
  pipeline = "digits"
  operator = "there"
  command  = ["python", "train.py", "$(HOME)", "a b"]
  env      = { LEVEL = "info" }
  secrets  = { TOKEN = env("PLAN_TEST_TOKEN") }
  timeouts {
    run = "2h"
  }
}
`)
	t.Setenv("PLAN_TEST_TOKEN", "hunter2")
	golden(t, "plan", w.transcript(
		[]string{"plan", "train", "-C", w.dir},
		[]string{"plan", "train", "-C", w.dir, "--timeout-run", "3h", "--", "true"},
		[]string{"plan", "trian", "-C", w.dir},
		[]string{"plan", "train", "more", "-C", w.dir},
	))
	r = w.run("plan", "train", "-C", w.dir, "-o", "json")
	require.Zero(t, r.code, r.err)
	var doc struct {
		Item struct {
			Command, Secrets []string
			Request          string
			Values           []struct{ Name, Value, Origin string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &doc))
	assert.Equal(t, []string{"python", "train.py", "$(HOME)", "a b"}, doc.Item.Command)
	assert.Equal(t, []string{"TOKEN"}, doc.Item.Secrets)
	assert.NotEmpty(t, doc.Item.Request)
	assert.NotContains(t, r.out, "hunter2")
}
