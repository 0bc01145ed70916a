package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"regexp"
	"sync"
	"time"

	"github.com/stephost/stephost/plugins/spark/internal/standalone"
	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/detached"
	"github.com/stephost/stephost/pluginsdk/detached/jobdir"
)

const (
	// progressEvery is the pace of asking an application's UI: it shows what a
	// person reads, and takes time from the driver.
	progressEvery = 2 * time.Second
	// progressAfter is how long an application runs before it is asked at all. The
	// first question makes the driver load what answers it, which takes about a
	// second of its processor: no more than the 3 % that a step may cost by then, and
	// who waits for seconds alone needs no stages.
	progressAfter = 30 * time.Second
	// progressBound is for that question: a driver in a long garbage collection
	// must not hold up what its process does.
	progressBound = time.Second
	// scanMost bounds how much of the log is searched for the application's ID and
	// UI: Spark says them when its context starts.
	scanMost = 4 << 20
	// seenMost bounds the memory: far more than one host runs.
	seenMost = 1000
)

// seen remembers what the UIs told. Nothing in it is needed for a right answer.
type seen struct {
	mu   sync.Mutex
	apps map[string]*appSeen
	http *http.Client
}

// appSeen is one job's application.
type appSeen struct {
	app, ui string
	// offset is how far its log was searched.
	offset int64
	asked  time.Time
	// pause grows while the UI does not answer (Kubernetes).
	pause time.Duration
	told  string

	// looked is when its executors were looked at (Kubernetes), rest how long not again,
	// and waits what they wait for.
	looked time.Time
	rest   time.Duration
	waits  string
}

func newSeen() *seen {
	return &seen{apps: map[string]*appSeen{}, http: &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 2, IdleConnTimeout: 20 * time.Second}}}
}

// of is the memory of a job; it belongs to the caller until put.
func (s *seen) of(job string) appSeen {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.apps[job]; a != nil {
		return *a
	}
	return appSeen{}
}

func (s *seen) put(job string, a appSeen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.apps) >= seenMost {
		s.apps = map[string]*appSeen{}
	}
	s.apps[job] = &a
}

func (s *seen) forget(job string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.apps, job)
}

// What Spark's log says (level INFO): StandaloneSchedulerBackend, yarn.Client,
// JettyUtils and Utils of Spark 3.4 to 4.1.
var (
	appLine  = regexp.MustCompile(`(?:Connected to Spark cluster with app ID|Submitted application) ((?:app|application)[-_][0-9_-]+)`)
	hostLine = regexp.MustCompile(`Start Jetty ([^ ]+):[0-9]+ for SparkUI`)
	portLine = regexp.MustCompile(`Successfully started service 'SparkUI' on port ([0-9]+)`)
)

// scan looks for them in a part of the log. host is where the driver runs, for a UI
// that listens on every address.
func (a *appSeen) scan(text []byte, host string) {
	if m := appLine.FindSubmatch(text); m != nil && a.app == "" {
		a.app = string(m[1])
	}
	if m := portLine.FindSubmatch(text); m != nil && a.ui == "" {
		if h := hostLine.FindSubmatch(text); h != nil && string(h[1]) != "0.0.0.0" {
			host = string(h[1])
		}
		a.ui = "http://" + host + ":" + string(m[1])
	}
}

// scanFile searches the driver's log from where the last search ended.
func (a *appSeen) scanFile(job jobdir.Job) {
	if a.app != "" && a.ui != "" || a.offset >= scanMost {
		return
	}
	f, err := os.Open(job.Stream("stderr"))
	if err != nil {
		return
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, a.offset, scanMost-a.offset))
	if err != nil {
		return
	}
	// A line that is not whole yet is read again; so are some before it, because
	// two lines make one address.
	const again = 8 << 10
	a.scan(text, "127.0.0.1")
	a.offset += max(0, int64(len(text))-again)
}

// refine adds to what the files of a process tell: how far its application has
// come, and whether executors of it are left.
func (f *spark) refine(c Config) detached.Refine {
	return func(ctx context.Context, job jobdir.Job, status pluginsdk.Status) (pluginsdk.Status, error) {
		switch {
		case status.Phase == pluginsdk.Succeeded, status.Phase.Terminal() && len(c.uis()) == 0:
			f.seen.forget(job.Dir)
		case status.Phase.Terminal():
			a := f.seen.of(job.Dir)
			a.scanFile(job)
			return f.gone(ctx, c, job, a.app, status)
		case status.Phase == pluginsdk.Running:
			a := f.seen.of(job.Dir)
			a.scanFile(job)
			f.tell(ctx, &a, &status)
			f.seen.put(job.Dir, a)
		}
		return status, nil
	}
}

// due says whether an application that runs since then is to be asked, and remembers
// that it was.
func (a *appSeen) due(since time.Time, pause time.Duration) bool {
	now := time.Now()
	if now.Sub(since) < progressAfter || now.Sub(a.asked) < pause {
		return false
	}
	a.asked = now
	return true
}

// tell shows the progress of a running application. A UI that does not answer
// changes nothing: what counts is the driver's own process.
func (f *spark) tell(ctx context.Context, a *appSeen, status *pluginsdk.Status) {
	if a.ui == "" {
		return
	}
	if a.due(status.PhaseSince, progressEvery) {
		ctx, cancel := context.WithTimeout(ctx, progressBound)
		defer cancel()
		client := standalone.Client{HTTP: f.seen.http}
		if p, err := client.Progress(ctx, a.ui, a.app); err == nil {
			a.app, a.told = p.App, p.String()
		}
	}
	if status.Message == "" && a.told != "" {
		status.Message = a.app + ": " + a.told
	}
	status.URL = a.ui
}
