package project

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/stephost/stephost/host/schema"
)

// ExpandSecret gives the value behind a template of Resolved.Secrets,
// SecretConfig or SecretSettings. In JSON text (a structured attribute) each
// string is expanded by itself, so that a value with quotes stays one value.
// The error names the reference, never a value.
func ExpandSecret(ctx context.Context, template string, r schema.Resolver) (string, error) {
	if schema.HasReference(template) || !strings.Contains(template, `\u0000`) {
		return schema.ExpandTemplate(ctx, template, r)
	}
	dec := json.NewDecoder(strings.NewReader(template))
	dec.UseNumber() // integers beyond 2^53 keep their digits
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return "", fmt.Errorf("a stored reference is damaged")
	}
	doc, err := expandStrings(ctx, doc, r)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return "", fmt.Errorf("a stored reference is damaged")
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

func expandStrings(ctx context.Context, doc any, r schema.Resolver) (any, error) {
	var err error
	switch x := doc.(type) {
	case string:
		return schema.ExpandTemplate(ctx, x, r)
	case []any:
		for i := range x {
			if x[i], err = expandStrings(ctx, x[i], r); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range x {
			if x[k], err = expandStrings(ctx, x[k], r); err != nil {
				return nil, err
			}
		}
	}
	return doc, nil
}

// Caching asks r once for each thing and remembers the answer, errors too: a
// "cmd:" must not run (and ask for a passphrase) once for the check and once
// more for the launch. It is safe for concurrent use; it holds secrets, so it
// should live no longer than one launch.
func Caching(r schema.Resolver) schema.Resolver {
	if c, ok := r.(*caching); ok {
		return c
	}
	return &caching{inner: r, answers: map[[2]string]func() (string, error){}}
}

type caching struct {
	inner   schema.Resolver
	mu      sync.Mutex
	answers map[[2]string]func() (string, error)
}

func (c *caching) ask(kind, what string, f func(string) (string, error)) (string, error) {
	key := [2]string{kind, what}
	c.mu.Lock()
	answer := c.answers[key]
	if answer == nil {
		answer = sync.OnceValues(func() (string, error) { return f(what) })
		c.answers[key] = answer
	}
	c.mu.Unlock()
	return answer() // outside of the lock: a command may take its time
}

func (c *caching) Env(name string) (string, error)   { return c.ask("env", name, c.inner.Env) }
func (c *caching) File(path string) (string, error)  { return c.ask("file", path, c.inner.File) }
func (c *caching) Secret(ref string) (string, error) { return c.ask("secret", ref, c.inner.Secret) }

var _ schema.Resolver = (*caching)(nil)
