package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/stephost/stephost/test/kube"
)

// many is how many Jobs run at once.
const many = 200

// launchers are the commands that submit them at the same time.
const launchers = 8

// requests are the API server's counts by "VERB resource", of what a step
// operator may ask and neither controllers nor kubelet do.
type requests map[string]float64

var metric = regexp.MustCompile(`(?m)^apiserver_request_total\{([^}]*)\} (\S+)$`)

func requestsOf(l *lab) requests {
	out := requests{}
	for _, m := range metric.FindAllStringSubmatch(l.kubectl("get", "--raw", "/metrics"), -1) {
		labels := map[string]string{}
		for pair := range strings.SplitSeq(m[1], ",") {
			name, value, _ := strings.Cut(pair, "=")
			labels[name] = strings.Trim(value, `"`)
		}
		n, err := strconv.ParseFloat(m[2], 64)
		require.NoError(l.t, err)
		what := labels["resource"]
		if s := labels["subresource"]; s != "" {
			what += "/" + s
		}
		out[labels["verb"]+" "+what] += n
	}
	return out
}

// TestMany: 200 Jobs at once, owned by one process. They share one watch of Jobs
// and one of Pods; nobody polls.
func TestMany(t *testing.T) {
	cluster(t)
	l := newLabOn(t, kube.Node(t))
	longRunning := regexp.MustCompile(`(?m)^apiserver_longrunning_requests\{[^}]*resource="(jobs|pods)"[^}]*verb="WATCH"[^}]*\} (\S+)$`)
	watches := func() map[string]float64 {
		out := map[string]float64{}
		for _, m := range longRunning.FindAllStringSubmatch(l.kubectl("get", "--raw", "/metrics"), -1) {
			n, _ := strconv.ParseFloat(m[2], 64)
			out[m[1]] += n
		}
		return out
	}
	before, watchesBefore := requestsOf(l), watches()
	begin := time.Now()
	ids := make([]string, many)
	var group errgroup.Group
	group.SetLimit(launchers)
	for i := range ids {
		group.Go(func() error {
			args := append([]string{"launch", "--operator", "op", "--detach"}, share(l.dir)...)
			ids[i] = strings.TrimSpace(l.must(append(args, "--", "sh", "-c", "echo begin; until [ -e /share/go ]; do sleep 1; done; exit 3")...))
			return nil
		})
	}
	require.NoError(t, group.Wait())
	t.Logf("%d are submitted after %s", many, time.Since(begin))
	require.Eventually(t, func() bool {
		return strings.Count(l.kubectl("get", "pods", "-o", "jsonpath={.items[*].status.phase}"), "Running") == many
	}, hang, time.Second, "they never run all at once")
	t.Logf("%d run at once after %s", many, time.Since(begin))
	watchesDuring := watches()
	require.NoError(t, os.WriteFile(filepath.Join(l.dir, "go"), nil, 0o644))
	for _, id := range ids {
		out, errs, code := l.run("run", "wait", id)
		require.Equal(t, 3, code, out+errs)
	}
	took := time.Since(begin)
	after := requestsOf(l)

	minutes := took.Minutes() * many
	t.Logf("%d jobs in %s", many, took)
	sum := 0.0
	for _, what := range []string{"POST jobs", "GET jobs", "LIST jobs", "WATCH jobs", "PATCH jobs", "LIST pods", "WATCH pods", "GET pods/log", "CONNECT pods/log", "GET namespaces"} {
		n := after[what] - before[what]
		sum += n
		t.Logf("%-18s %5.0f  %.3f per job-minute", what, n, n/minutes)
	}
	t.Logf("watches: %v before, %v during", watchesBefore, watchesDuring)
	assert.LessOrEqual(t, watchesDuring["jobs"]-watchesBefore["jobs"], 2.0, "one watch of Jobs for all, and one of a launcher that has not gone yet")
	assert.Len(t, l.names("jobs"), many)
	// Each job is created and its log is read; what does not depend on a job is
	// little.
	polls := after["GET jobs"] - before["GET jobs"] + after["LIST jobs"] - before["LIST jobs"] + after["LIST pods"] - before["LIST pods"]
	assert.Less(t, polls, 6.0*many, "somebody polls")
	assert.Less(t, sum, 12.0*many)
}
