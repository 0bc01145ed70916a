package main

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/stephost/stephost/pluginsdk"
	"github.com/stephost/stephost/pluginsdk/follow"
)

const (
	// logPiece is read with one request: large enough that a log of a gigabyte
	// needs few, small enough for memory.
	logPiece = 4 << 20
	// logFirst and logMost bound the pause between two reads of a file.
	logFirst = time.Second
	logMost  = 10 * time.Second
	// addressesEvery is how often addresses are asked for anew while a node has
	// none: a call of the budget each time.
	addressesEvery = 15 * time.Second
	// overEvery is how often a reader asks whether the job is over when nobody
	// watches it.
	overEvery = 2 * time.Second
)

// logFile is the name of the file of a node: std_log.txt of one, and
// std_log_process_N.txt of several (assumption: N counts processes, and each node
// has one).
var logFile = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^user_logs/std_log(?:_process_([0-9]+))?(?:_[a-z].*)?\.txt$`)
})

// Logs reads the files that AzureML copies each node's output to, both streams in
// one, from the byte at which the last read ended. It returns when the job is
// over and no file grew for a while (log_settle): the last copy comes late.
func (g *azureml) Logs(ctx context.Context, c Config, h pluginsdk.Handle, r pluginsdk.LogRequest, w *pluginsdk.LogWriter) error {
	d, err := readHandle(h)
	if err != nil {
		return err
	}
	t := &tail{g: g, c: c, d: d, r: r, w: w, files: map[int]*file{}}
	var quiet time.Time
	pause := follow.Pause{First: logFirst, Most: logMost}
	ended := false
	for {
		before := ended
		if ended, err = t.over(ctx); err != nil {
			return err
		}
		if ended && !before {
			quiet, t.asked = time.Now(), time.Time{} // the end may have brought files
		}
		grew, err := t.read(ctx, ended)
		if err != nil {
			return err
		}
		if !r.Follow {
			return nil
		}
		if grew {
			quiet = time.Now()
			pause.News()
		}
		if ended && time.Since(quiet) >= c.LogSettle {
			return nil
		}
		bound := logMost
		if ended {
			bound = min(logFirst, max(c.LogSettle/4, 10*time.Millisecond))
		}
		if err := pause.Wait(ctx, bound); err != nil {
			return err
		}
	}
}

// tail is one call of Logs.
type tail struct {
	g     *azureml
	c     Config
	d     handleData
	r     pluginsdk.LogRequest
	w     *pluginsdk.LogWriter
	files map[int]*file // by node
	asked time.Time     // when addresses were asked for
	state time.Time     // when the job's state was
}

// file is the log of one node.
type file struct {
	address string
	epoch   int
	offset  int64
}

// over tells whether the job is over. Whoever watches it has just been told that;
// only without one it is asked.
func (t *tail) over(ctx context.Context) (bool, error) {
	cl, err := t.g.open(ctx, t.c)
	if err != nil {
		return false, err
	}
	if over, known := cl.phases.Over(t.d.Job); known {
		return over, nil
	}
	if time.Since(t.state) < overEvery {
		return false, nil
	}
	if err := cl.states.Wait(ctx); err != nil {
		return false, err
	}
	t.state = time.Now()
	job, err := cl.get(ctx, t.d.Job)
	if err != nil && !gone(err) {
		return false, cl.ask(err)
	}
	phase := pluginsdk.Lost
	if err == nil {
		phase = phaseOf(stateOf(job))
	}
	if phase.Terminal() {
		cl.phases.Note(t.d.Job, phase)
	}
	return phase.Terminal(), nil
}

// read writes what is new in all files.
func (t *tail) read(ctx context.Context, ended bool) (grew bool, err error) {
	// The client is taken anew: this call lives long, and a login may be renewed.
	cl, err := t.g.open(ctx, t.c)
	if err != nil {
		return false, err
	}
	if t.r.Follow && len(t.files) == 0 && cl.phases.Waits(t.d.Job) {
		return false, nil
	}
	if t.asked.IsZero() || len(t.files) < t.d.Nodes && (ended || time.Since(t.asked) >= addressesEvery || len(t.files) == 0) {
		if err := t.addresses(ctx, cl); err != nil {
			return false, err
		}
	}
	for node, f := range t.files {
		more, err := t.readFile(ctx, cl, node, f)
		grew = grew || more
		if signatureEnded(err) {
			if err = t.addresses(ctx, cl); err == nil {
				more, err = t.readFile(ctx, cl, node, f)
				grew = grew || more
			}
		}
		if err != nil {
			return grew, err
		}
	}
	return grew, nil
}

// addresses asks where the files are. A node that is new begins where it was left.
func (t *tail) addresses(ctx context.Context, cl *client) error {
	if err := cl.states.Wait(ctx); err != nil {
		return err
	}
	run, err := cl.details(ctx, t.d.Job)
	t.asked = time.Now()
	if gone(err) {
		return nil // the run history has not heard of the job yet
	}
	if err != nil {
		return cl.ask(err)
	}
	// In order, so that std_log_process_0.txt wins over a std_log.txt beside it.
	for _, name := range slices.Sorted(maps.Keys(run.LogFiles)) {
		m := logFile().FindStringSubmatch(name)
		if m == nil {
			continue
		}
		node, _ := strconv.Atoi(m[1])
		f := t.files[node]
		if f == nil {
			f = &file{}
			for t.r.Cursor(t.source(node, f.epoch+1)) != "" {
				f.epoch++
			}
			f.offset = t.r.Offset(t.source(node, f.epoch))
			t.files[node] = f
		}
		f.address = run.LogFiles[name]
	}
	return nil
}

func (t *tail) source(node, epoch int) pluginsdk.LogSource {
	return pluginsdk.LogSource{Attempt: t.d.Attempt, Epoch: epoch, Node: node, Container: "step", Stream: "stdout"}
}

// readFile writes a file from its offset to its end.
func (t *tail) readFile(ctx context.Context, cl *client, node int, f *file) (grew bool, err error) {
	client, err := blob.NewClientWithNoCredential(f.address, &blob.ClientOptions{ClientOptions: policy.ClientOptions{
		Transport: cl.http, Retry: policy.RetryOptions{MaxRetries: -1},
	}})
	if err != nil {
		return false, pluginsdk.System(errors.New("AzureML gave an address of a log that is none"))
	}
	for {
		answer, err := client.DownloadStream(ctx, &blob.DownloadStreamOptions{Range: blob.HTTPRange{Offset: f.offset, Count: logPiece}})
		switch statusCode(err) {
		case http.StatusNotFound:
			return grew, nil // not made yet
		case http.StatusRequestedRangeNotSatisfiable:
			if size, ok := sizeOf(err); ok && size < f.offset {
				// The node began anew and wrote over its file.
				if err := t.w.Gap(t.source(node, f.epoch), pluginsdk.Gap{Reason: "AzureML began the log anew"}); err != nil {
					return grew, err
				}
				f.epoch, f.offset = f.epoch+1, 0
				continue
			}
			return grew, nil
		}
		if signatureEnded(err) {
			return grew, err
		}
		if err != nil {
			return grew, pluginsdk.Unreachable(unsigned(err))
		}
		data, err := io.ReadAll(io.LimitReader(answer.Body, logPiece))
		answer.Body.Close()
		at := time.Now()
		if answer.LastModified != nil {
			at = *answer.LastModified
		}
		if len(data) > 0 {
			// What came before a connection broke counts: the next read goes on behind.
			grew = true
			f.offset += int64(len(data))
			if err := t.w.Bytes(t.source(node, f.epoch), at, data, f.offset); err != nil {
				return grew, err
			}
		}
		if err != nil {
			return grew, pluginsdk.Unreachable(unsigned(err))
		}
		if len(data) < logPiece {
			return grew, nil
		}
	}
}

// signatureEnded tells whether an address is no longer good.
func signatureEnded(err error) bool {
	code := statusCode(err)
	return code == http.StatusForbidden || code == http.StatusUnauthorized
}

// sizeOf is the size of a blob whose range was refused: "bytes */SIZE".
func sizeOf(err error) (int64, bool) {
	e := refusal(err)
	if e == nil || e.RawResponse == nil {
		return 0, false
	}
	_, size, ok := strings.Cut(e.RawResponse.Header.Get("Content-Range"), "/")
	n, err := strconv.ParseInt(size, 10, 64)
	return n, ok && err == nil
}
