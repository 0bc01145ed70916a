package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/kube"
)

// away is how long the API server is gone.
const away = 10 * time.Second

// numbered is a step that prints a line each tenth of a second.
func numbered(lines int) (argv []string, want string) {
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "line %d\n", i+1)
	}
	return []string{"--", "sh", "-c", fmt.Sprintf(`i=0; while [ $i -lt %d ]; do i=$((i+1)); echo "line $i"; sleep 0.1; done; exit 3`, lines)}, b.String()
}

// TestAPIServerGone: the API server is killed, or hangs, for ten seconds in the
// middle of a run, and at the moment at which the run ends. No verdict is wrong
// and no line is lost. The clusters are their own: others would notice, and the
// controllers need a minute or two to get over it.
func TestAPIServerGone(t *testing.T) {
	type verb = func(*kube.Cluster, testing.TB, kube.Component)
	for _, tc := range []struct {
		name      string
		lines     int
		off, back verb
	}{
		{"killed in the middle", 200, (*kube.Cluster).Kill, (*kube.Cluster).Restart},
		{"killed across the end", 60, (*kube.Cluster).Kill, (*kube.Cluster).Restart},
		{"hangs in the middle", 200, (*kube.Cluster).Freeze, (*kube.Cluster).Thaw},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cluster(t)
			t.Parallel()
			c := kube.Node(t)
			l := newLabOn(t, c)
			argv, want := numbered(tc.lines)
			p := l.start(argv...)
			p.sees("line 20\n")
			tc.off(c, t, kube.APIServer)
			time.Sleep(away) // the passing of time is what is tested
			assert.Nil(t, p.cmd.ProcessState, "no verdict comes from silence")
			tc.back(c, t, kube.APIServer)
			e := p.wait()
			assert.Equal(t, 3, e.code, e.stderr)
			assert.Equal(t, "user", e.Class, e.Message)
			require.Equal(t, want, e.stdout)
			assert.NotContains(t, e.stderr, "gap")
			assert.Len(t, l.names("jobs"), 1)
		})
	}
}
