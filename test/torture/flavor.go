package torture

import (
	"slices"
	"strings"
	"testing"
)

// What a flavor's backend can tell about a submission whose answer was lost: the
// `idempotency` of its manifest.
const (
	Key    = "key"
	Search = "search"
	None   = "none"
)

// Flavor is what is tortured.
type Flavor struct {
	// Name is the flavor's name, Idempotency that of its manifest.
	Name, Idempotency string
	// Setup registers the flavor, where it is not shipped beside stephost, and
	// the operator `op`. It may start a backend, and ends it with t.Cleanup.
	// Every scenario has a world of its own.
	Setup func(t *testing.T, w *World)
	// Launch holds more flags of `stephost launch`, for example --image.
	Launch []string
	// Witness is the path of the witness file as the step sees it; nil = the
	// world's own file.
	Witness func(w *World) string
	// Attempts reads the witness: one element for each start of the step. nil =
	// the words of the world's own file.
	Attempts func(w *World) []string
	// Jobs counts the jobs that the backend holds for the world's run; nil = only
	// the witness counts.
	Jobs func(w *World) int
	// Skip holds failpoints that the flavor never reaches, with the reason.
	Skip map[string]string
	// PossibleGaps: the backend's log store cannot prove that a seam lost
	// nothing, so that a mark is no fault. Lines must be whole all the same.
	PossibleGaps bool
	// Kills in the short random form; 0 = 100.
	Kills int
	// Foreign tells whether a process that lives in the world is none of
	// stephost's or the step's (a backend's own); nil = none is.
	Foreign func(pid int, cmdline string) bool
}

// unknownIsTrue tells where nobody can know: the answer to Submit was lost, or it
// was never sent, and the backend cannot prove which.
func (f *Flavor) unknownIsTrue(point string) bool {
	switch point {
	case "host-submitting", "plugin-submit":
		return f.Idempotency != Key
	case "host-answered", "plugin-submit-done":
		return f.Idempotency == None
	}
	return false
}

// hostPoints are the boundaries at which the host dies.
func (f *Flavor) hostPoints() []string {
	return f.without([]string{
		"host-preparing", "host-submitting", "host-answered", "host-submitted", "host-watching",
		"host-ended", "host-concluding", "host-concluded", "host-draining", "host-cleaning",
	})
}

// pluginPoints are the calls in which the plugin dies, and their ends.
func (f *Flavor) pluginPoints() []string {
	return f.without([]string{
		"plugin-scope", "plugin-validate", "plugin-find", "plugin-find-done",
		"plugin-submit", "plugin-submit-done", "plugin-watch", "plugin-logs", "plugin-logs-done", "plugin-cleanup", "plugin-cleanup-done",
	})
}

func (f *Flavor) without(points []string) []string {
	return slices.DeleteFunc(points, func(p string) bool {
		return f.Skip[p] != "" || f.Idempotency == None && strings.HasPrefix(p, "plugin-find")
	})
}
