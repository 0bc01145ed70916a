package host

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/stephost/stephost/host/fetch"
	"github.com/stephost/stephost/host/launch"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/internal/disk"
)

// FetchOptions of Fetch; see fetch.Options.
type FetchOptions struct {
	Dir       string
	Overwrite bool
	Done      func(fetch.Fetched)
	Progress  func(fetch.Progress)
	Trouble   func(path string, err error)
}

// Fetch brings what a run left into a directory of this machine. What lies in a
// store is read by the plugin of the flavor version that the run was launched
// with, if that flavor can. The result is never nil.
func (h *Host) Fetch(ctx context.Context, r *runs.Run, o FetchOptions) (*fetch.Result, error) {
	q := fetch.Options{Dir: o.Dir, Run: r.ID, Overwrite: o.Overwrite, Done: o.Done, Progress: o.Progress, Trouble: o.Trouble}
	far := false
	for _, x := range r.Verdict.Outputs {
		q.Outputs = append(q.Outputs, fetch.Output{Name: x.Name, Location: x.Location, Bytes: x.Bytes})
		far = far || !filepath.IsAbs(x.Location)
	}
	if far {
		sup, err := h.Supervisor(ctx)
		if err != nil {
			return &fetch.Result{}, err
		}
		source, done, err := sup.Outputs(ctx, r)
		if err != nil {
			return &fetch.Result{}, err
		}
		defer done()
		q.Source = source
	}
	got, err := fetch.Fetch(ctx, q)
	return got, fetchProblem(r, o.Dir, got, err)
}

// failuresShown bounds what is said of files that could not be had.
const failuresShown = 10

// fetchProblem says what to do about what could not be fetched.
func fetchProblem(r *runs.Run, dir string, got *fetch.Result, err error) error {
	p := &problem.Error{Run: r.ID, Flavor: r.Pin.Flavor, Operator: r.Operator, Err: err, Next: "the same command goes on behind what is there"}
	var (
		ask    *launch.AskError
		exists *fetch.ExistsError
		known  *problem.Error
	)
	switch {
	case err == nil && len(got.Failed) == 0:
		return nil
	case errors.Is(err, context.Canceled), errors.As(err, &known):
		return err
	case disk.Full(err):
		p.Summary, p.Next = "the disk of "+dir+" is full", "make room; "+p.Next
	case errors.As(err, &ask):
		p.Summary, p.Class = "could not ask the backend", problem.Auth
		p.Next = "renew the credentials, or switch back to the account of the run; " + p.Next
	case err != nil:
		p.Summary, p.Next = "the outputs could not be fetched", "see to it that "+dir+" is a directory that you may write to"
	default:
		p.Summary = fmt.Sprintf("%d of the files could not be fetched", len(got.Failed))
		var lines []string
		for i, f := range got.Failed {
			if i == failuresShown {
				lines = append(lines, fmt.Sprintf("and %d more", len(got.Failed)-i))
				break
			}
			lines = append(lines, problem.Bound(f.Error(), 512))
		}
		p.Detail = strings.Join(lines, "\n")
		if errors.As(errors.Join(got.Failed...), &exists) {
			p.Next = "name another directory, or replace what is there with --overwrite"
		}
	}
	return p
}
