package environment

import (
	"context"

	"github.com/stephost/stephost/host/environment/requirements"
	"github.com/stephost/stephost/host/environment/source"
)

// DirectoryPlan is what PrepareDirectory would do.
type DirectoryPlan struct {
	// Files and Bytes count what would be copied.
	Files int
	Bytes int64
	// Biggest holds up to ten paths, biggest first.
	Biggest []source.Size
	// TooLarge is set when PrepareDirectory would refuse the size.
	TooLarge bool
	// Python is the interpreter that would be used and PythonVersion its
	// version; empty when no virtual environment is asked for.
	Python, PythonVersion string
	// Requirements holds the normalised lines, without credentials.
	Requirements []string
	// RequirementsDigest and Venv are as in Directory.
	RequirementsDigest, Venv string
	// VenvCached is set when Venv is there already and complete.
	VenvCached bool
	// Tool would install: "uv" or "pip".
	Tool string
	// Warnings are for the person: full sentences, without credentials.
	Warnings []string
}

// Describe says what PrepareDirectory would do. It creates nothing and reads no
// source file but those of projects among the requirements; it runs the
// interpreter once, to ask for its version. Errors are *problem.Error.
func Describe(ctx context.Context, r DirectoryRequest) (*DirectoryPlan, error) {
	p := &DirectoryPlan{}
	if len(r.Sources) > 0 {
		roots, o, err := r.roots()
		if err != nil {
			return nil, err
		}
		o.AllowLarge = true // told in the plan, not refused
		t, err := source.Scan(ctx, roots, o)
		if err != nil {
			return nil, sourceProblem(ctx, err)
		}
		p.Files, p.Bytes, p.Biggest = t.Files, t.Bytes, t.Biggest()
		p.TooLarge = t.Bytes > source.SizeLimit && !r.AllowLarge
		p.Warnings = append(t.Warnings, sizeWarnings(t)...)
	}
	req := r.requirements()
	if req.Empty() {
		return p, nil
	}
	s, err := requirements.Resolve(ctx, req)
	if err != nil {
		return nil, sourceProblem(ctx, err)
	}
	p.Python, p.PythonVersion = s.Interpreter.Path, s.Interpreter.Version
	p.Requirements, p.RequirementsDigest, p.Tool = s.Lines, s.Digest, s.Tool
	p.Venv, p.VenvCached = s.Venv(r.venvDir()), s.Complete(r.venvDir())
	return p, nil
}
