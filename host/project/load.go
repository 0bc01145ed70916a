package project

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"

	"github.com/stephost/stephost/host/diag"
)

// LoadOptions say what Load reads.
type LoadOptions struct {
	// Files in order; "-" is Stdin (HCL, or JSON when it begins with "{").
	// A name that ends in ".json" is JSON. None gives an empty project.
	Files []string
	Stdin io.Reader
	// Dir is where relative file names, and relative paths in Stdin, start;
	// "" = the working directory.
	Dir string
	// Vars are --var values: text typed by the variable.
	Vars map[string]string
	// VarFiles are HCL (or .json) files of `name = value`.
	VarFiles []string
	// Environ is a list of NAME=value in which STEPHOST_VAR_x gives variable x;
	// other names are ignored.
	Environ []string
	// Sources gets every text that was read; required.
	Sources *diag.Sources
}

// Load reads and checks project files. Nothing is resolved: env(), file() and
// secret() stay unknown. All problems come at once; with errors the project
// holds what could be read and must not be resolved. It never returns a nil
// project.
func Load(ctx context.Context, o LoadOptions) (*Project, hcl.Diagnostics) {
	dir, err := absolute(o.Dir)
	l := newLoader(o.Sources, dir)
	l.given = o.Dir
	if err != nil {
		l.fail(wholeRange(o.Dir, ""), "No working directory", err.Error()+".")
		return l.project, l.diags
	}
	l.load(ctx, o)
	return l.project, l.diags
}

func absolute(dir string) (string, error) {
	if dir == "" {
		return os.Getwd()
	}
	return filepath.Abs(dir)
}

// DecodeOptions say where a stored operator lies.
type DecodeOptions struct {
	// File names the text in messages.
	File string
	// Dir is where relative paths start; absolute.
	Dir     string
	Sources *diag.Sources
}

// DecodeOperator reads a file that holds exactly one operator block, as the
// registry stores it. It is the grammar of project files without variables and
// locals. The operator is nil when there are errors.
func DecodeOperator(src []byte, o DecodeOptions) (*Operator, hcl.Diagnostics) {
	l := newLoader(o.Sources, o.Dir)
	file, diags := l.sources.Parse(o.File, src)
	l.diags = append(l.diags, diags...)
	content, diags := file.Body.Content(operatorFileSchema())
	l.add(diags)
	if l.diags.HasErrors() {
		return nil, l.diags
	}
	if len(content.Blocks) != 1 {
		r := wholeRange(o.File, "")
		if len(content.Blocks) > 1 {
			r = content.Blocks[1].DefRange
		}
		l.fail(r, "One operator required", fmt.Sprintf("%s must hold exactly one operator block, and has %d.", o.File, len(content.Blocks)))
		return nil, l.diags
	}
	d := l.decoder()
	l.decodeOperator(content.Blocks[0], unit{dir: o.Dir}, o.File, d)
	l.diags = append(l.diags, d.diags...)
	if l.diags.HasErrors() || len(l.project.OperatorOrder) != 1 {
		return nil, l.diags
	}
	return l.project.Operators[l.project.OperatorOrder[0]], l.diags
}

func operatorFileSchema() *hcl.BodySchema {
	return &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{{Type: "operator", LabelNames: []string{"name"}}}}
}
