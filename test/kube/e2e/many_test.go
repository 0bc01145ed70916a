package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/stephost/stephost/test/kube"
	"github.com/stephost/stephost/test/torture"
)

// many is how many Jobs run at once: 200 in the long form. On two cores their pods
// are the machine's load for ten minutes, so that the short form has fewer; what
// is asserted is per Job.
func many() int {
	if torture.Long() {
		return 200
	}
	return 50
}

// launchers are the commands that submit them at the same time.
const launchers = 8

// own are the calls that a step operator makes and neither controllers nor
// kubelet do.
var own = []string{"POST:jobs", "GET:jobs", "LIST:jobs", "WATCH:jobs", "PATCH:jobs", "LIST:pods", "WATCH:pods", "CONNECT:pods/log", "GET:namespaces", "LIST:events"}

// requests are the API server's counts by "VERB resource", and with the
// code behind it those that did not end well.
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
		what = labels["verb"] + " " + what
		out[what] += n
		if code := labels["code"]; code != "200" && code != "201" {
			out[what+" "+code] += n
		}
	}
	return out
}

// TestMany: many Jobs at once, owned by one process. They share one watch of Jobs
// and one of Pods; nobody polls.
func TestMany(t *testing.T) {
	cluster(t)
	many := many()
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
	// Steps wait at a gate without asking for it each second: that would be the
	// machine's whole load.
	gate := filepath.Join(l.dir, "gate")
	require.NoError(t, syscall.Mkfifo(gate, 0o600))
	open(t, gate)
	before, watchesBefore := requestsOf(l), watches()
	begin := time.Now()
	ids := make([]string, many)
	var group errgroup.Group
	group.SetLimit(launchers)
	for i := range ids {
		group.Go(func() error {
			args := append([]string{"launch", "--operator", "op", "--detach"}, share(l.dir)...)
			ids[i] = strings.TrimSpace(l.must(append(args, "--", "sh", "-c", "echo begin; read x < /share/gate; exit 3")...))
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
	// Open for both, so that writing waits for nobody and nothing is lost: each
	// step takes one line.
	opened, err := os.OpenFile(gate, os.O_RDWR, 0)
	require.NoError(t, err)
	defer opened.Close()
	_, err = opened.WriteString(strings.Repeat("\n", many))
	require.NoError(t, err)
	for _, id := range ids {
		out, errs, code := l.run("run", "wait", id)
		require.Equal(t, 3, code, out+errs)
	}
	took := time.Since(begin)
	after := requestsOf(l)

	minutes := took.Minutes() * float64(many)
	t.Logf("%d jobs in %s", many, took)
	sum := 0.0
	for _, what := range slices.Sorted(maps.Keys(after)) {
		call, code, failed := strings.Cut(strings.TrimSpace(strings.Replace(what, " ", ":", 1)), " ")
		n := after[what] - before[what]
		if n == 0 || !slices.Contains(own, call) {
			continue
		}
		t.Logf("%-20s %5.0f  %.3f per job-minute  %s", call, n, n/minutes, code)
		if !failed {
			sum += n
		}
	}
	t.Logf("watches: %v before, %v during", watchesBefore, watchesDuring)
	assert.LessOrEqual(t, watchesDuring["jobs"]-watchesBefore["jobs"], 2.0, "one watch of Jobs for all, and one of a launcher that has not gone yet")
	assert.Len(t, l.names("jobs"), many)
	// What a launch asks is a constant for each job, and the list calls that confirm
	// the watches are shared. Somebody who polls each job every five seconds asks
	// twelve times a minute.
	polls := 0.0
	for _, what := range []string{"GET jobs", "LIST jobs", "LIST pods"} {
		polls += after[what] - before[what]
	}
	t.Logf("%.1f requests for each job in all, %.1f of them ask how it is", sum/float64(many), polls/float64(many))
	assert.Less(t, polls/float64(many), 8+2*took.Minutes(), "somebody polls")
	// A log is opened once; some times more at its end, each time after twice as long
	// (to half a minute), until the kubelet tells that the container is over, which
	// takes minutes with 200 that end at once; and until it has not grown for a while.
	logs := after["CONNECT pods/log"] - before["CONNECT pods/log"]
	assert.Less(t, logs/float64(many), 10+2*took.Minutes(), "somebody polls logs")
}
