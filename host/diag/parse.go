package diag

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
)

// Parse adds src under name and parses it: JSON when name ends in ".json",
// else native HCL. The file is never nil; with errors its body holds what
// could be read.
func (s *Sources) Parse(name string, src []byte) (*hcl.File, hcl.Diagnostics) {
	s.Add(name, src)
	asJSON := strings.HasSuffix(name, ".json")
	if d := precheck(name, src, asJSON); d != nil {
		return emptyFile(name), hcl.Diagnostics{d}
	}
	if asJSON {
		file, diags := json.Parse(src, name)
		if file == nil || file.Body == nil {
			file = emptyFile(name)
		}
		s.put(name, source{bytes: src, file: file})
		return file, s.Explain(diags)
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if file == nil || file.Body == nil {
		file = emptyFile(name)
	}
	s.put(name, source{bytes: src, file: file})
	return file, s.Explain(diags)
}

// ParseExpression adds src under name and parses it as one native expression,
// within the same limits. The expression is nil when there are errors.
func (s *Sources) ParseExpression(name string, src []byte) (hcl.Expression, hcl.Diagnostics) {
	s.Add(name, src)
	if d := precheck(name, src, false); d != nil {
		return nil, hcl.Diagnostics{d}
	}
	expr, diags := hclsyntax.ParseExpression(src, name, hcl.InitialPos)
	if diags.HasErrors() {
		return nil, s.Explain(diags)
	}
	return expr, s.Explain(diags)
}

func emptyFile(name string) *hcl.File {
	r := hcl.Range{Filename: name, Start: hcl.InitialPos, End: hcl.InitialPos}
	return &hcl.File{Body: &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: r, EndRange: r}}
}
