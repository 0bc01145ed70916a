package cli_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestValidate(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	require.Zero(t, w.run("operator", "register", "far", "--flavor=cloud", "--role=train", "--volume-size=20").code)
	cases := map[string]string{
		"good": sampleProject,
		"far":  "step \"train\" {\n  operator = \"far\"\n  command = [\"true\"]\n  environment {\n    image = \"x\"\n  }\n}\n",
		"wrong": `operator "here" {
  flavor = "clowd"
}

operator "odd" {
  flavor = "databricks"
}

operator "wrong" {
  flavor = "cloud"
  config {
    volume_size = "x"
    nope        = 1
  }
}

operator "pinned" {
  flavor = "cloud@9.9.9"
}

step "train" {
  operator = "hre"
  command  = ["python", "train.py"]
}

step "other" {
  operator = "wrong"
  command  = ["true"]
  settings {
    tolerations = [{ key = "a", efect = "b" }]
  }
}
`,
		"slips": "operator \"here\" { flavor = \"cloud\", config { role = \"x\" } }\nstep \"s\" {\n  command = [\"echo\", \"${HOME}\"]\n}\n",
		"odd":   "operator \"odd\" {\n  flavor = \"databricks\"\n}\nstep \"s\" {\n  operator = \"odd\"\n  command = [\"true\"]\n}\n",
	}
	for name, text := range cases {
		t.Run(name, func(t *testing.T) {
			file := w.write(name+".hcl", text)
			golden(t, "validate_"+name, w.transcript([]string{"validate", "-f", file}, []string{"validate", "-f", file, "-o", "json"}))
		})
	}
	_, err := os.Stat(filepath.Join(w.home, "runs"))
	assert.ErrorIs(t, err, os.ErrNotExist, "no database is opened")
	w.neverRan()
}

func TestValidateFindsTheProject(t *testing.T) {
	w := newWorld(t)
	w.registerCloud()
	w.write("stephost.hcl", sampleProject)
	deep := filepath.Join(w.dir, "src", "deep")
	require.NoError(t, os.MkdirAll(deep, 0o755))
	r := w.run("validate", "-C", deep)
	assert.Zero(t, r.code, r.err)
	assert.Contains(t, r.out, "1 operator, 1 step: valid")
	r = w.runWith(sampleProject, "validate", "-f", "-")
	assert.Zero(t, r.code, r.err)
	r = w.run("validate", "-f", filepath.Join(w.dir, "none.hcl"))
	assert.Equal(t, 125, r.code)
}
