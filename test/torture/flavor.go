package torture

import (
	"slices"
	"strings"
	"testing"
	"time"
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
	// NoExitCode: the backend tells that a step failed, and no exit code of it. The
	// class is the same; the verdict has no code, and stephost ends with 1.
	NoExitCode bool
	// Window holds failpoints of the plugin's own, inside its Submit, at which it dies
	// after those of every plugin. They lie between the note that a request may be on
	// its way and the note of its answer, where the backend takes no key and lists
	// nothing: who dies there must leave the run unknown, and nobody else may.
	Window []string
	// InWindow tells for the random form whether a death has hit the window. It is
	// asked when nothing is sent any more.
	InWindow func(w *World) bool
	// Only names the boundaries at which somebody dies, for backends that are slow;
	// nil = all.
	Only []string
	// Kills in the short random form; 0 = 100.
	Kills int
	// KillWithin bounds the time that a launch of the random form lives; 0 = 900 ms.
	// It is to cover the life of a job of the backend.
	KillWithin time.Duration
	// Foreign tells whether a process that lives in the world is none of
	// stephost's or the step's (a backend's own); nil = none is.
	Foreign func(pid int, cmdline string) bool
}

// unknown tells how a run may end behind a death at a boundary: as unknown where
// nobody can know, because the answer to Submit was lost or it was never sent, and
// the backend cannot prove which; must = not in any other way.
func (f *Flavor) unknown(point string) (may, must bool) {
	switch {
	case slices.Contains(f.Window, point):
		return true, true
	case point == "host-submitting", point == "plugin-submit":
		return f.Idempotency != Key, false
	case point == "host-answered", point == "plugin-submit-done":
		return f.Idempotency == None, false
	}
	return false, false
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
	return f.without(append([]string{
		"plugin-scope", "plugin-validate", "plugin-find", "plugin-find-done",
		"plugin-submit", "plugin-submit-done", "plugin-watch", "plugin-logs", "plugin-logs-done", "plugin-cleanup", "plugin-cleanup-done",
	}, f.Window...))
}

// cancelPoints are the boundaries before which, and the ones within which, a run is
// cancelled.
func (f *Flavor) cancelPoints() (before, within []string) {
	before = append([]string{"host-preparing", "host-submitting", "host-answered", "host-submitted", "host-watching"}, f.Window...)
	return f.without(before), f.without([]string{"host-cancelling", "host-cancel-sent", "host-concluding"})
}

func (f *Flavor) without(points []string) []string {
	return slices.DeleteFunc(points, func(p string) bool {
		return f.Skip[p] != "" || f.Only != nil && !slices.Contains(f.Only, p) ||
			f.Idempotency == None && strings.HasPrefix(p, "plugin-find")
	})
}

// exitCode is what stephost ends with where the step's own code is 3.
func (f *Flavor) exitCode() int {
	if f.NoExitCode {
		return 1
	}
	return 3
}
