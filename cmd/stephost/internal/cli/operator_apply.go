package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/spf13/cobra"

	"github.com/stephost/stephost/host/catalog"
	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/problem"
	"github.com/stephost/stephost/host/registry"
)

func (a *app) operatorApply() *cobra.Command {
	var dry bool
	c := command("apply FILE", "Store every operator of a file, comments and all", cobra.Command{
		Long: `Stores the operator blocks of a file (- is stdin), new ones and changed ones. All
are checked before any is written. A flavor without a version is stored with the
newest one; an operator that is stored already keeps its version. Relative paths,
which start at the file's directory, are stored as absolute ones.`,
		Example: "  stephost operator apply operators.hcl\n  generate-operators | stephost operator apply -",
		Args:    arguments(1, "a FILE (- is stdin)"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cat, err := a.catalog()
			if err != nil {
				return err
			}
			src, file, err := a.readSource(args[0])
			if err != nil {
				return err
			}
			texts, err := cat.Registry().SplitOperators(file, src)
			if err != nil {
				return err
			}
			return a.apply(cmd.Context(), cat, file, src, texts, dry)
		},
	})
	c.Flags().BoolVar(&dry, "dry-run", false, "check everything, write nothing")
	return c
}

// apply checks all operators, then writes them.
func (a *app) apply(ctx context.Context, cat *catalog.Catalog, file string, src []byte, texts [][]byte, dry bool) error {
	opt, err := a.flagOptions(cat)
	if err != nil {
		return err
	}
	dir := opt.Dir // of what comes from stdin
	if filepath.IsAbs(file) {
		dir = filepath.Dir(file)
	} else if file != stdinName {
		dir = filepath.Dir(filepath.Join(dir, file))
	}
	rounds := []bool{true, false}
	if dry {
		rounds = rounds[:1]
	}
	for i, checkOnly := range rounds {
		for _, text := range texts {
			o := &operatorFlags{dry: checkOnly}
			var sel *catalog.OperatorSelection
			check := a.checkWith(o, cat, &sel)
			op, err := cat.Registry().PutOperatorText(ctx, pinned(ctx, cat.Registry(), text), registry.WriteOptions{Replace: true, DryRun: checkOnly, Dir: dir,
				Check: func(ctx context.Context, op *registry.Operator) error {
					err := check(ctx, op)
					var diags hcl.Diagnostics
					if errors.As(err, &diags) {
						return pointIntoFile(op, text, diags, file, src)
					}
					return err
				}})
			if err != nil {
				return err
			}
			if i == len(rounds)-1 {
				if err := a.wrote(ctx, cat, o, op, sel, "stored"); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// pinned writes the version into a text whose flavor has none, so that a newer
// version moves nothing: that of the stored operator, else the newest. A text
// that is not to be understood is left as it is; its error comes later.
func pinned(ctx context.Context, r *registry.Registry, text []byte) []byte {
	file, _ := hclsyntax.ParseConfig(text, "operator", hcl.InitialPos)
	if file == nil {
		return text
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok || len(body.Blocks) != 1 || len(body.Blocks[0].Labels) != 1 || body.Blocks[0].Body.Attributes["flavor"] == nil {
		return text
	}
	at := body.Blocks[0].Body.Attributes["flavor"].Expr.Range()
	name, ok := strings.CutPrefix(string(at.SliceBytes(text)), `"`)
	name, closed := strings.CutSuffix(name, `"`)
	if !ok || !closed || strings.ContainsAny(name, "@\"$%") {
		return text
	}
	ref := name
	if old, err := r.Operator(ctx, body.Blocks[0].Labels[0]); err == nil && strings.HasPrefix(old.Flavor, name+"@") {
		ref = old.Flavor
	}
	f, err := r.Flavor(ctx, ref)
	if err != nil {
		return text
	}
	return slices.Concat(text[:at.Start.Byte], []byte(`"`+f.Ref()+`"`), text[at.End.Byte:])
}

// pointIntoFile moves diagnostics about an operator's text to where the text,
// as it was before it was pinned, stands in the file that was applied.
func pointIntoFile(op *registry.Operator, text []byte, diags hcl.Diagnostics, file string, src []byte) hcl.Diagnostics {
	text = bytes.TrimSpace(text)
	at := bytes.Index(src, text)
	if at < 0 || bytes.Count(text, []byte("\n")) != bytes.Count(bytes.TrimSpace(op.Source), []byte("\n")) {
		return diags
	}
	before := bytes.Count(src[:at], []byte("\n"))
	stored, applied := lineStarts(op.Source), lineStarts(src)
	move := func(p hcl.Pos) hcl.Pos {
		// The same column of the same line; only lines with the flavor and with
		// paths have become longer.
		if p.Line < 1 || p.Line > len(stored) || p.Line+before > len(applied) {
			return hcl.Pos{Line: before + 1, Column: 1, Byte: at}
		}
		p.Line += before
		end := len(src)
		if p.Line < len(applied) {
			end = applied[p.Line] - 1
		}
		p.Byte = min(applied[p.Line-1]+p.Byte-stored[p.Line-before-1], end)
		return p
	}
	for _, d := range diags {
		for _, r := range []*hcl.Range{d.Subject, d.Context} {
			if r != nil && r.Filename == op.File {
				r.Filename, r.Start, r.End = file, move(r.Start), move(r.End)
			}
		}
	}
	return diags
}

// lineStarts is where each line begins.
func lineStarts(src []byte) []int {
	out := []int{0}
	for i, b := range src {
		if b == '\n' {
			out = append(out, i+1)
		}
	}
	return out
}

// stdinName stands for stdin in diagnostics.
const stdinName = "stdin"

// readSource reads a file of HCL, or stdin for "-".
func (a *app) readSource(arg string) (src []byte, name string, err error) {
	if arg != "-" {
		src, err = readBounded(a.path(arg), diag.MaxSource)
		return src, arg, err
	}
	src, err = io.ReadAll(io.LimitReader(a.stdin, diag.MaxSource+1))
	if err != nil {
		return nil, "", &problem.Error{Summary: "cannot read stdin", Err: err, Next: "name a file"}
	}
	return src, stdinName, nil
}
