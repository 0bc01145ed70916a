package project_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/project"
)

// TestSystemPackages: who looks for them is told what to do instead.
func TestSystemPackages(t *testing.T) {
	for _, name := range []string{"apt_packages", "system_packages", "conda"} {
		_, diags := project.Load(t.Context(), project.LoadOptions{Files: []string{"-"}, Dir: t.TempDir(), Sources: &diag.Sources{},
			Stdin: strings.NewReader("step \"s\" {\n  environment {\n    base_image = \"b\"\n    " + name + " = [\"gcc\"]\n  }\n}\n")})
		assert.ErrorContains(t, diags, "System packages cannot be added")
		assert.ErrorContains(t, diags, "base_image that has the packages, or dockerfile")
	}
}
