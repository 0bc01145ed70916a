package project_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/host/schema"
)

// What no machine could prepare is said where it is written, before there is a run.
func TestEnvironmentThatCannotBe(t *testing.T) {
	for text, want := range map[string]string{
		`python = "banana"`:                             "Invalid Python",
		`python = "2.7"`:                                "Invalid Python",
		`python = "3.11"`:                               "",
		`python = "3"`:                                  "",
		`python = "./bin/python"`:                       "",
		`requirements = ["a=="]`:                        "Requirement is incomplete",
		`requirements = ["a>=1,<"]`:                     "Requirement is incomplete",
		`requirements = ["a== ; python_version > '3'"]`: "Requirement is incomplete",
		`requirements = ["a", "b==1.5.*", "c[d]>=1,<2; python_version >= '3.8'", "e @ https://x/e.whl?a=", "./f"]`: "",
		`requirements_file = "nosuch.txt"`: "No such file",
		`source {
  path = "nosuch"
}`: "No such file",
	} {
		t.Run(text, func(t *testing.T) {
			w := load(t, fmt.Sprintf("operator \"op\" {\n  flavor = \"box\"\n}\nstep \"s\" {\n  operator = \"op\"\n  command = [\"x\"]\n  environment {\n%s\n  }\n}\n", text))
			r := w.request(flavor(t, box), "s", "op")
			r.Stage = schema.StageLaunch
			_, text := w.resolve(r)
			text = w.text(w.diags) + text
			if want == "" {
				assert.Empty(t, text)
				return
			}
			assert.Contains(t, text, "Error: "+want+"\n  on stephost.hcl line ")
		})
	}
	// Another machine may check what this one has not.
	w := load(t, "operator \"op\" {\n  flavor = \"box\"\n}\nstep \"s\" {\n  operator = \"op\"\n  command = [\"x\"]\n  environment {\n    requirements_file = \"nosuch.txt\"\n  }\n}\n")
	_, text := w.resolve(w.request(flavor(t, box), "s", "op"))
	assert.Empty(t, w.text(w.diags)+text)
}
