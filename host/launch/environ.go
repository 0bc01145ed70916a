package launch

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"strings"

	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/runs"
	"github.com/stephost/stephost/host/schema"
)

// markBytes is the length of a variable's mark. Two bytes tell that a value is another
// one, and nobody what it is: of every 65536 values one has the same mark, and the marks
// of all runs say no more than that of one.
const markBytes = 2

// mark is what a run remembers of an environment variable that one of its secrets comes
// from.
func mark(name, value string) string {
	m := hmac.New(sha256.New, []byte("stephost/env1|"+name))
	m.Write([]byte(value))
	return hex.EncodeToString(m.Sum(nil)[:markBytes])
}

// marksOf are the marks of the variables that a step's secrets come from; "" for one that
// is not set here.
func marksOf(ctx context.Context, step *project.Resolved, r schema.Resolver) map[string]string {
	marks := map[string]string{}
	seen := variables{r, marks}
	for _, refs := range []map[string]string{step.Secrets, step.SecretSettings} {
		for _, ref := range refs {
			_, _ = project.ExpandSecret(ctx, ref, seen) // what is missing shows when it is due
		}
	}
	return marks
}

// variables is a resolver that marks environment variables. Nothing else is asked for: a
// command may want a passphrase.
type variables struct {
	inner schema.Resolver
	marks map[string]string
}

func (v variables) Env(name string) (string, error) {
	v.marks[name] = ""
	if value, err := v.inner.Env(name); err == nil {
		v.marks[name] = mark(name, value)
	}
	return "", nil
}

func (v variables) File(string) (string, error) { return "", nil }

func (v variables) Secret(ref string) (string, error) {
	if name, is := strings.CutPrefix(ref, "env:"); is {
		return v.Env(name)
	}
	return "", nil
}

// launcher is a resolver in a process that was not told to launch the run: an
// environment variable counts only with the value that it had there. The next shell's
// token is not the run's.
type launcher struct {
	schema.Resolver
	marks map[string]string
}

func (l launcher) Env(name string) (string, error) {
	value, err := l.Resolver.Env(name)
	if err == nil && mark(name, value) != l.marks[name] {
		return "", &problem.Error{Summary: "the environment variable " + name + " is not the one with which the run was launched",
			Detail: "This process has another value of it, or it was not set there."}
	}
	return value, err
}

func (l launcher) Secret(ref string) (string, error) {
	if name, is := strings.CutPrefix(ref, "env:"); is {
		return l.Env(name)
	}
	return l.Resolver.Secret(ref)
}

// resolver is for the secrets of the step. The operator's credentials are resolved
// with that of the process: they may have been renewed.
func (d *drive) resolver() schema.Resolver {
	if d.o.Foreign && d.plan.Marks != nil {
		return launcher{d.s.o.Resolver, d.plan.Marks}
	}
	return d.s.o.Resolver
}

// remark stores what the variables are in the process that a person has told to go on
// with the run: it is the one that counts from now on.
func (d *drive) remark(ctx context.Context) error {
	if d.o.Foreign {
		return nil
	}
	marks := marksOf(ctx, d.plan.Step, d.s.o.Resolver)
	for name, was := range d.plan.Marks {
		if marks[name] == "" {
			marks[name] = was
		}
	}
	if maps.Equal(marks, d.plan.Marks) {
		return nil
	}
	d.plan.Marks = marks
	p, err := json.Marshal(d.plan)
	if err != nil {
		return err
	}
	return d.claim.Update(ctx, runs.Relaxed, func(r *runs.Run) ([]runs.Event, error) {
		r.Plan = p
		return nil, nil
	})
}

var (
	_ schema.Resolver = variables{}
	_ schema.Resolver = launcher{}
)
