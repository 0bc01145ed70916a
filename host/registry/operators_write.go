package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host/problem"
)

// OperatorSpec is an operator given on the command line.
type OperatorSpec struct {
	Name string
	// Flavor should be "name@version", so that a newer version moves nothing.
	Flavor string
	Attrs  []Attr
}

// OperatorChange is what `operator update` does to one.
type OperatorChange struct {
	// Flavor replaces the flavor; "" keeps it.
	Flavor string
	// Set gives attributes a value, Unset removes them (by Attr.Path).
	Set   []Attr
	Unset []string
}

// WriteOptions hold for all that write an operator.
type WriteOptions struct {
	// Replace overwrites an operator that exists with other text.
	Replace bool
	// Check gets the operator as it would be, before anything is written; its
	// error is returned and nothing is written. It is called under the lock,
	// so it must not write operators itself. May be nil.
	Check func(context.Context, *Operator) error
	// DryRun ends after Check.
	DryRun bool
	// Dir, absolute, is where relative paths of a text start that a person wrote:
	// they are stored as absolute ones. "" leaves them as they are.
	Dir string
}

// PutOperator stores an operator as HCL. The same text again is no change;
// other text under a name that exists is refused unless o.Replace is set.
func (r *Registry) PutOperator(ctx context.Context, spec OperatorSpec, o WriteOptions) (*Operator, error) {
	if err := CheckOperatorName(spec.Name); err != nil {
		return nil, err
	}
	text, err := composeOperator(spec)
	if err != nil {
		return nil, err
	}
	return r.putText(ctx, spec.Name, text, false, o)
}

// PutOperatorText stores one operator block as a person wrote it, comments
// included (`operator apply`); SplitOperators makes such texts of a file.
// Relative paths in it are made absolute (see WriteOptions.Dir); variables and
// locals do not exist in the store: o.Check sees the operator and can refuse it.
// `default = true` in the block makes it the default.
func (r *Registry) PutOperatorText(ctx context.Context, text []byte, o WriteOptions) (*Operator, error) {
	name, text, chosen, err := r.normalOperator(text, o.Dir)
	if err != nil {
		return nil, err
	}
	return r.putText(ctx, name, text, chosen, o)
}

func (r *Registry) putText(ctx context.Context, name string, text []byte, chosen bool, o WriteOptions) (op *Operator, err error) {
	err = r.lockedOperators(ctx, func() error {
		old, err := os.ReadFile(r.operatorFile(name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case !o.Replace && !bytes.Equal(old, text):
			return r.operatorExists(name, old)
		}
		if op, err = r.store(ctx, name, text, o); err != nil || !chosen || o.DryRun {
			return err
		}
		op.Default = true
		return writeFile(r.defaultFile(), []byte(name+"\n"), 0o600)
	})
	if err != nil {
		return nil, err
	}
	return op, nil
}

// operatorExists says what is in the way: an operator, or a file that is none.
func (r *Registry) operatorExists(name string, text []byte) error {
	op := &Operator{Name: name, File: r.operatorFile(name), sources: r.sources}
	var diags hcl.Diagnostics
	if op.outline(text); errors.As(op.Err, &diags) {
		last := *diags[len(diags)-1]
		last.Detail = strings.TrimSpace(last.Detail + "\nThe operator " + name + " is stored already, but its file has this error. " +
			"Correct the file, or replace it: --replace.")
		return append(slices.Clone(diags[:len(diags)-1]), &last)
	}
	return &problem.Error{Operator: name, Summary: "it exists already, with other values",
		Next: "change it: stephost operator update " + name + " ...; or replace it: --replace"}
}

// store checks and writes the text, under the lock.
func (r *Registry) store(ctx context.Context, name string, text []byte, o WriteOptions) (*Operator, error) {
	op := &Operator{Name: name, File: r.operatorFile(name), sources: r.sources}
	if op.outline(text); op.Err != nil {
		return nil, op.Err
	}
	op.Default = name == r.readDefault()
	if o.Check != nil {
		if err := o.Check(ctx, op); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil || o.DryRun {
		return op, err
	}
	file, perm := followed(op.File)
	return op, writeFile(file, text, perm)
}

// followed is the file that a link leads to, so that whoever keeps operators elsewhere
// keeps the link; its mode is that person's.
func followed(file string) (string, os.FileMode) {
	const own = 0o600
	if info, err := os.Lstat(file); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return file, own
	}
	end, err := filepath.EvalSymlinks(file)
	if err != nil {
		return file, own // it leads nowhere
	}
	info, err := os.Stat(end)
	if err != nil || !info.Mode().IsRegular() {
		return file, own
	}
	return end, info.Mode().Perm()
}

// UpdateOperator changes attributes in place; comments and all other lines stay.
func (r *Registry) UpdateOperator(ctx context.Context, name string, change OperatorChange, o WriteOptions) (op *Operator, err error) {
	err = r.lockedOperators(ctx, func() error {
		old, err := r.Operator(ctx, name)
		if err != nil {
			return err
		}
		text, err := editOperator(old, change)
		if err != nil {
			return err
		}
		op, err = r.store(ctx, name, text, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return op, nil
}

// RenameOperator gives a stored operator another name; the default follows. A
// crash in between leaves both names, never none.
func (r *Registry) RenameOperator(ctx context.Context, from, to string) (op *Operator, err error) {
	err = r.lockedOperators(ctx, func() error {
		if op, err = r.copy(ctx, from, to); err != nil {
			return err
		}
		if r.readDefault() == from {
			if err := writeFile(r.defaultFile(), []byte(to+"\n"), 0o600); err != nil {
				return err
			}
			op.Default = true
		}
		return os.Remove(r.operatorFile(from))
	})
	if err != nil {
		return nil, err
	}
	return op, nil
}

// CopyOperator stores the same operator under a second name.
func (r *Registry) CopyOperator(ctx context.Context, from, to string) (op *Operator, err error) {
	err = r.lockedOperators(ctx, func() error {
		op, err = r.copy(ctx, from, to)
		return err
	})
	if err != nil {
		return nil, err
	}
	return op, nil
}

func (r *Registry) copy(ctx context.Context, from, to string) (*Operator, error) {
	if err := CheckOperatorName(to); err != nil {
		return nil, err
	}
	old, err := r.Operator(ctx, from)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(r.operatorFile(to)); !errors.Is(err, fs.ErrNotExist) {
		return nil, &problem.Error{Operator: to, Summary: "it exists already", Next: "choose another name, or delete it: stephost operator delete " + to}
	}
	text, err := relabelOperator(old, to)
	if err != nil {
		return nil, err
	}
	return r.store(ctx, to, text, WriteOptions{})
}

// DeleteOperator removes a stored operator, also one whose file is wrong. It
// refuses while inUse, which may be nil, says that a run needs it.
func (r *Registry) DeleteOperator(ctx context.Context, name string, inUse func(name string) bool) error {
	return r.lockedOperators(ctx, func() error {
		if _, err := os.Lstat(r.operatorFile(name)); !validName(name) || errors.Is(err, fs.ErrNotExist) {
			return r.noOperator(ctx, name)
		}
		if inUse != nil && inUse(name) {
			return &problem.Error{Operator: name, Summary: "it is in use by a run",
				Next: "wait for the run or end it; see: stephost run list"}
		}
		if r.readDefault() == name {
			if err := r.unsetDefault(); err != nil {
				return err
			}
		}
		return os.Remove(r.operatorFile(name))
	})
}

// SplitOperators takes the operator blocks out of a file for `operator apply`,
// each with the comments above and in it.
func (r *Registry) SplitOperators(file string, src []byte) ([][]byte, error) {
	parsed, diags := r.sources.Parse(file, src)
	if diags.HasErrors() {
		return nil, diags
	}
	texts, other, err := splitBlocks(parsed, src)
	if err != nil {
		return nil, err
	}
	if len(texts) == 0 {
		start := hcl.Range{Filename: file, Start: hcl.InitialPos, End: hcl.InitialPos}
		detail := `It needs at least one block: operator "name" { ... }.`
		if other > 0 {
			detail += fmt.Sprintf(" What it has, %d other blocks or attributes, is for `stephost launch -f`.", other)
		}
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "No operator in this file", Detail: detail, Subject: &start}}
	}
	return texts, nil
}
