package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/stephost/stephost/host/problem"
)

// phase is where these problems happen in the life of a run.
const phase = "preparing"

// registryError is a failure of the talk with a registry.
type registryError struct {
	repo   name.Repository
	push   bool
	source string
	err    error
}

func (e *registryError) Error() string {
	return fmt.Sprintf("%s (with %s): %v", e.repo.Name(), e.source, e.err)
}

func (e *registryError) Unwrap() error { return e.err }

// refusedError says that no source of credentials was good enough.
type refusedError struct {
	repo  name.Repository
	push  bool
	tried []string
	err   error
}

func (e *refusedError) add(source string, err error) {
	e.tried = append(e.tried, source+": "+answerText(err))
	e.err = err
}

func (e *refusedError) Error() string {
	if len(e.tried) == 0 {
		return e.repo.Name() + ": there are no credentials left to try"
	}
	return e.repo.Name() + ": refused with " + strings.Join(e.tried, "; with ")
}

func (e *refusedError) Unwrap() error { return e.err }

// answerText is what a registry said, without the address that was asked, which
// is long and may hold a token.
func answerText(err error) string {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return err.Error()
	}
	text := fmt.Sprintf("%d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	for _, d := range answer.Errors {
		text += ", " + strings.TrimSpace(string(d.Code)+" "+d.Message)
	}
	return problem.Bound(text, 500)
}

func doing(push bool) string {
	if push {
		return "push to"
	}
	return "pull from"
}

// explain turns an error into one for the person.
func explain(ctx context.Context, err error) error {
	var p *problem.Error
	if err == nil || errors.As(err, &p) {
		return err
	}
	e := &problem.Error{Summary: "cannot prepare the image", Phase: phase, Class: problem.System, Err: err}
	var (
		refused  *refusedError
		registry *registryError
		plain    *plainError
	)
	switch {
	case ctx.Err() != nil:
		e.Summary, e.Err, e.Class = "preparing the image was cancelled", context.Cause(ctx), problem.Cancelled
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			e.Summary, e.Class = "preparing the image took too long", problem.Timeout
		}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		e.Summary, e.Next = "the disk is full", "free space, or move STEPHOST_HOME; the next build begins where this one stopped"
	case errors.As(err, &plain):
		e.Summary, e.Class = "the registry "+plain.host+" does not speak HTTPS", problem.Config
		e.Next = "give it a certificate; or, where plain HTTP is meant, set " + insecureEnv + "=" + plain.host
	case errors.As(err, &refused):
		explainRefused(e, refused)
	case errors.As(err, &registry):
		explainRegistry(e, registry)
	}
	return e
}

func explainRefused(e *problem.Error, r *refusedError) {
	e.Class, e.Err = problem.Auth, nil
	if statusOf(r.err) == http.StatusNotFound {
		e.Class = problem.Config
		e.Summary = fmt.Sprintf("the repository %s does not exist in %s", r.repo.RepositoryStr(), r.repo.RegistryStr())
		e.Next = "make the repository, or correct environment.registry"
	} else {
		e.Summary = fmt.Sprintf("the registry %s does not let you %s %s", r.repo.RegistryStr(), doing(r.push), r.repo.RepositoryStr())
		e.Next = fmt.Sprintf("log in with `docker login %s` (or `podman login`), or set %s and %s; a cloud's own registry takes the login of its operator's plugin",
			r.repo.RegistryStr(), usernameEnv, passwordEnv)
	}
	if len(r.tried) > 0 {
		e.Detail = "Tried:\n  " + strings.Join(r.tried, "\n  ")
	}
}

func explainRegistry(e *problem.Error, r *registryError) {
	e.Summary = fmt.Sprintf("cannot %s %s in registry %s", doing(r.push), r.repo.RepositoryStr(), r.repo.RegistryStr())
	e.Detail = "Credentials: " + r.source + "."
	code := statusOf(r.err)
	if code != 0 {
		e.Err = errors.New(answerText(r.err))
	}
	switch {
	case code == http.StatusTooManyRequests:
		e.Next = "the registry asks to slow down: try again later, or log in, which most registries grant more to"
	case code >= 500:
		e.Next = "the registry fails: try again later; what was sent already is not sent again"
	case errors.Is(r.err, syscall.ECONNREFUSED):
		e.Next = "nobody listens there: start the registry, or correct its name"
	case code != 0:
		e.Class, e.Next = problem.Config, "correct the name of the image or of the registry"
	default:
		e.Next = "see that the registry can be reached from this machine, and try again; what was sent already is not sent again"
	}
}

func config(summary, next string) *problem.Error {
	return &problem.Error{Summary: summary, Phase: phase, Class: problem.Config, Next: next}
}
