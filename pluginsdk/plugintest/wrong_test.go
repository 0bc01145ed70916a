package plugintest_test

import (
	"cmp"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/stephost/stephost/pluginsdk/plugintest"
)

// wrongs maps a mode of internal/wrong to the one check that it breaks.
func wrongs() map[string]string {
	return map[string]string{
		"version":     "identity.metadata",
		"digest":      "identity.digest",
		"no-plan":     "identity.capabilities",
		"by-hand":     "start.by-hand",
		"open-door":   "start.stranger",
		"panics":      "process.hostile-input",
		"stuck":       "process.deadlines",
		"stdout":      "process.stdout",
		"secret-log":  "secrets.quiet",
		"picky":       "values.accepted",
		"untyped":     "values.typed",
		"plan-moves":  "plan.repeat",
		"plan-order":  "plan.repeat",
		"env":         "run.env",
		"argv":        "run.argv",
		"race":        "submit.race",
		"forgetful":   "find.after-kill",
		"attempt":     "find.key",
		"any-scope":   "scope.wrong",
		"silent":      "watch.heartbeat",
		"two-ends":    "watch.order",
		"watch-once":  "watch.again",
		"one-cancel":  "cancel.twice",
		"patient":     "cancel.stubborn",
		"no-stderr":   "logs.whole",
		"no-end":      "logs.whole",
		"log-late":    "logs.live",
		"log-text":    "logs.bytes",
		"log-drops":   "logs.flood",
		"any-output":  "output.refused",
		"clean-once":  "cleanup.record",
		"clean-all":   "cleanup.leftovers",
		"cuts-submit": "submit.host-gone",
		"exit-code":   "process.lifeline",

		"log-restarts":          "logs.resume",
		"output-offset":         "output.whole",
		"output-short":          "output.whole",
		"unknown-ignored":       "values.unknown",
		"any-manifest":          "values.other-manifest",
		"moving-scope":          "scope.stable",
		"plain-projects":        "project.any",
		"token-per-project":     "find.token",
		"prepare-once":          "prepare.repeat",
		"handle-version":        "run.succeeds",
		"user-is-system":        "run.fails",
		"never-existing":        "submit.same-key",
		"any-body":              "submit.other-body",
		"rejects-lost":          "submit.reply-lost",
		"again-after-end":       "submit.finished",
		"finds-anything":        "find.absent",
		"token-first-only":      "find.token",
		"unreachable-is-failed": "backend.unreachable",
		"cancels-with-host":     "watch.host-gone",
		"gone-is-failed":        "watch.deleted",
		"confirms-at-once":      "cancel.running",
		"cancels-the-dead":      "cancel.ended",
		"same-sequence":         "watch.order",
		"small-messages":        "process.messages",
		"dies-on-sigint":        "process.signals",
		"ignores-sigterm":       "process.sigterm",
		"ignores-lifeline":      "process.lifeline",
		"leaves-child":          "process.left-behind",
		"leaves-socket":         "process.left-behind",
		"no-early-cancel":       "cancel.early",
		"twice-after-kill":      "submit.killed",
		"gives-credentials":     "registry.not-ours",
		"preflight":             "preflight.accepted",
		"crowded":               "process.parallel",
		"any-handle":            "migrate.unlisted-handle",
		"forgets-old":           "migrate.handle",
		"other-type":            "migrate.schema",
	}
}

// Every wrong plugin fails at the check that it breaks, and at no other.
func TestWrong(t *testing.T) {
	bin, err := built()
	require.NoError(t, err)
	modes := wrongs()
	for _, right := range []string{"", "raw"} {
		modes[right] = "" // the right ones among them, with and without the SDK's server
	}
	// Waiting is most of it, so that far more of them run at once than there are
	// processors.
	const atOnce = 10
	var mu sync.Mutex
	reports := map[string]*plugintest.Report{}
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, mode := range slices.Sorted(maps.Keys(modes)) {
		c := onBackend(t, startBackend(t), bin["wrong"])
		c.Env = []string{"PLUGINTEST_WRONG=" + mode}
		c.Only = checksOf(modes[mode])
		if mode != "forgetful" { // which does not know the jobs of any other process
			c.Previous = earlier(t, bin["wrong"], mode)
		}
		group.Go(func() error {
			r, err := plugintest.Check(t.Context(), c)
			mu.Lock()
			defer mu.Unlock()
			reports[mode] = r
			return err
		})
	}
	require.NoError(t, group.Wait())
	for _, mode := range slices.Sorted(maps.Keys(modes)) {
		t.Run("mode "+mode, func(t *testing.T) {
			var failed []string
			for _, x := range reports[mode].Failed() {
				failed = append(failed, x.ID)
				t.Logf("%s: %s: %s", x.ID, x.Says, x.Detail)
			}
			var want []string
			if modes[mode] != "" {
				want = []string{modes[mode]}
			}
			assert.Equal(t, want, failed)
		})
	}
}

// checksOf are the checks for a mode that breaks one of them: all. But ten megabytes of
// log through each of seventy plugins take half of the time, and only those that are
// wrong about logs, or not at all, have anything to do with them.
func checksOf(broken string) []string {
	const flood = "logs.flood"
	if broken == "" || strings.HasPrefix(broken, "logs.") {
		return nil
	}
	var out []string
	for _, x := range plugintest.Catalogue() {
		if x.ID != flood {
			out = append(out, x.ID)
		}
	}
	return out
}

// earlier is version 0.0.9 of the flavor, as internal/wrong makes it.
func earlier(t *testing.T, plugin, mode string) *plugintest.Previous {
	manifest, err := os.ReadFile(plugin + ".flavor.hcl")
	require.NoError(t, err)
	change := []string{`version      = "0.1.0"`, `version      = "0.0.9"`, `handles      = [1, 2]`, `handles      = [1]`}
	if mode == "other-type" {
		change = append(change, "type        = bool\n    default     = false", "type        = list(bool)\n    default     = null")
	}
	return &plugintest.Previous{Plugin: plugin, Manifest: []byte(strings.NewReplacer(change...).Replace(string(manifest))),
		Env: []string{"PLUGINTEST_OLD=" + cmp.Or(mode, "right")}}
}

// A flavor whose steps outlive their process is none of the kind launch.
func TestWrongKind(t *testing.T) {
	bin, err := built()
	require.NoError(t, err)
	c := onBackend(t, startBackend(t), bin["wrong"])
	c.Kind, c.Only, c.JobTimeout = plugintest.Launch, []string{"scope.stable", "launch.lost"}, 3*time.Second
	r, err := plugintest.Check(t.Context(), c)
	require.NoError(t, err)
	assert.Equal(t, []string{"launch.lost"}, outcomes(r, plugintest.Fail))
}

// What the modes break, together, is every check but the one that only a flavor
// of the other kind can break.
func TestWrongCoversTheCatalogue(t *testing.T) {
	var checks, broken []string
	for _, x := range plugintest.Catalogue() {
		checks = append(checks, x.ID)
	}
	for _, id := range wrongs() {
		assert.Contains(t, checks, id)
		broken = append(broken, id)
	}
	var unbroken []string
	for _, id := range checks {
		if !slices.Contains(broken, id) {
			unbroken = append(unbroken, id)
		}
	}
	assert.ElementsMatch(t, []string{"launch.lost"}, unbroken)
}
