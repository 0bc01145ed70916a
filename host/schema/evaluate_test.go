package schema_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/stephost/stephost/host/diag"
	"github.com/stephost/stephost/host/schema"
)

const attributes = `
  resources {
    honours = ["cpu", "gpu"]
  }
  config "role" {
    type        = string
    description = "IAM role that the job assumes."
    validation {
      condition     = can(regex("^[a-z]+$", value))
      error_message = "must be a role name, not ${value}"
    }
  }
  config "mode" {
    type    = string
    default = null
    one_of  = ["serverless", "cluster"]
  }
  config "cluster" {
    type         = string
    default      = null
    aliases      = ["compute_target_name"]
    applies_when = config.mode == "cluster"
  }
  config "password" {
    type      = string
    default   = null
    sensitive = true
    validation {
      condition     = length(value) > 3
      error_message = "too short: ${value}"
    }
  }
  config "keys" {
    type      = map(string)
    default   = {}
    sensitive = true
  }
  setting "volume_size" {
    type    = number
    default = 30
    min     = 1
    max     = 16384
  }
  setting "id" {
    type    = number
    default = null
  }
  setting "pod_labels" {
    type    = map(string)
    default = { team = "ml" }
    merge   = "keys"
  }
  setting "zones" {
    type    = list(string)
    default = []
    one_of  = ["a", "b"]
  }
  setting "instance_type" {
    type    = string
    default = null
    validation {
      condition     = startswith(value, "ml.")
      error_message = "unknown instance type ${value}"
      severity      = "warning"
    }
  }
  setting "old" {
    type       = bool
    default    = null
    deprecated = "Use new."
  }
  setting "tolerations" {
    type = list(object({
      key      = string
      operator = optional(string, "Exists")
      more     = optional(object({ seconds = optional(number) }))
    }))
    default = []
  }
  setting "any" {
    type    = any
    default = null
  }
  setting "user" {
    type    = string
    default = null
  }
  rule {
    condition     = !(given.user && given.password)
    error_message = "user and password exclude each other"
    paths         = ["settings.user", "config.password"]
  }
  rule {
    condition     = settings.instance_type == null || resources.gpu == null
    error_message = "a fixed machine type cannot give the step's resources"
    paths         = ["settings.instance_type", "resources.gpu"]
  }
`

// TestDiagnostics shows what a person reads. Each file of testdata holds config
// and, after a line "settings:", settings; stage and resources are in a comment.
func TestDiagnostics(t *testing.T) {
	files, err := filepath.Glob("testdata/*.hcl")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			var src diag.Sources
			s := flavor(t, &src, attributes)
			in := schema.Input{Stage: schema.StageStep, Subject: hcl.Range{Filename: "config.hcl", Start: hcl.InitialPos, End: hcl.InitialPos}}
			if strings.HasPrefix(string(text), "# operator") {
				in.Stage = schema.StageOperator
			}
			config, settings, _ := strings.Cut(string(text), "# settings\n")
			settings, resources, _ := strings.Cut(settings, "# resources\n")
			in.Config = values(t, &src, "config.hcl", config, "operator gpu", schema.ModeValidate, nil)
			in.Settings = values(t, &src, "settings.hcl", settings, "step train", schema.ModeValidate, nil)
			in.Resources = map[string]schema.Given{}
			for _, g := range values(t, &src, "resources.hcl", resources, "step train", schema.ModeValidate, nil) {
				in.Resources[g.Name] = g
			}
			r, diags := s.Evaluate(in)
			out := rendered(t, &src, diags)
			for _, d := range r.Deferred {
				out += "deferred: " + d + "\n"
			}
			golden(t, file+".txt", out)
			assert.NotContains(t, out, "hunter")
		})
	}
}

func TestPrecedenceAndOrigins(t *testing.T) {
	var src diag.Sources
	s := flavor(t, &src, attributes)
	r, diags := s.Evaluate(schema.Input{
		Stage: schema.StageStep,
		Config: []schema.Given{
			given("role", cty.StringVal("train"), "operator gpu"),
			given("volume-size", cty.NumberIntVal(50), "operator gpu"),
			given("pod_labels", cty.ObjectVal(map[string]cty.Value{"a": cty.StringVal("1"), "b": cty.StringVal("1")}), "operator gpu"),
		},
		Settings: []schema.Given{
			given("volume_size", cty.StringVal("60"), "defaults"),
			given("volume_size", cty.NullVal(cty.Number), "step train"),
			given("pod_labels", cty.ObjectVal(map[string]cty.Value{"b": cty.StringVal("2"), "c": cty.NumberIntVal(3), "a": cty.NullVal(cty.String)}), "step train"),
		},
	})
	require.Empty(t, diags)
	v := r.Settings["volume_size"]
	assert.Equal(t, "60", schema.Literal(v.Value), "null in the step means: not set there")
	assert.Equal(t, "defaults", v.Origin)
	assert.True(t, v.Given)
	assert.Equal(t, `{ a = "1", b = "2", c = "3" }`, schema.Literal(r.Settings["pod_labels"].Value))
	assert.Equal(t, cty.Map(cty.String), r.Settings["pod_labels"].Value.Type())
	assert.Equal(t, schema.OriginFlavor, r.Config["mode"].Origin)
	assert.True(t, r.Config["mode"].Value.IsNull())
	assert.Len(t, r.Config, 5)
	assert.Len(t, r.Settings, 9)
}

func TestNumbersKeepEveryDigit(t *testing.T) {
	const id = "9007199254740993"
	const decimal = "0.1000000000000000055511151231257827021181583404541015625"
	var src diag.Sources
	s := flavor(t, &src, attributes)
	for text, want := range map[string]string{
		"id = " + id:                          id,
		"id = \"" + id + "\"":                 id,
		"id = 123456789012345678901234567890": "123456789012345678901234567890",
		"id = " + decimal:                     decimal,
		"id = -0.1":                           "-0.1",
		"id = 1e3":                            "1000",
	} {
		in := values(t, &src, "s.hcl", text, "step", schema.ModeValidate, nil)
		r, diags := s.Evaluate(schema.Input{Stage: schema.StageStep, Settings: in, Config: []schema.Given{given("role", cty.StringVal("x"), "o")}})
		require.Empty(t, diags)
		b, secrets, err := s.EncodeJSON(r.Settings, schema.Setting)
		require.NoError(t, err)
		assert.Empty(t, secrets)
		assert.Contains(t, string(b), `"id":`+want+`,`)
		assert.True(t, json.Valid(b))
	}
}

func TestUnknownValues(t *testing.T) {
	var src diag.Sources
	s := flavor(t, &src, attributes)
	config := values(t, &src, "c.hcl", "role = env(\"ROLE\")\npassword = secret(\"env:P\")\n", "operator", schema.ModeValidate, nil)
	for _, stage := range []schema.Stage{schema.StageOperator, schema.StageStep} {
		r, diags := s.Evaluate(schema.Input{Stage: stage, Config: config})
		require.Empty(t, diags)
		assert.Contains(t, strings.Join(r.Deferred, "\n"), `config "role"`)
		assert.NotEmpty(t, r.Deferred)
		_, _, err := s.EncodeJSON(r.Config, schema.Config)
		assert.ErrorContains(t, err, "not known")
	}
	_, diags := s.Evaluate(schema.Input{Stage: schema.StageLaunch, Config: config})
	assert.Equal(t, []string{`"role" is not known`, `"password" is not known`}, summaries(diags))
}

func TestSecretsGoApart(t *testing.T) {
	var src diag.Sources
	s := flavor(t, &src, attributes)
	secret := cty.StringVal("hunter2").Mark(schema.Sensitive)
	in := schema.Input{Stage: schema.StageLaunch, Config: []schema.Given{
		given("role", cty.StringVal("train"), "operator"),
		given("password", secret, "operator"),
		given("keys", cty.ObjectVal(map[string]cty.Value{"b": secret, "a": cty.StringVal("x<y")}), "operator"),
	}}
	r, diags := s.Evaluate(in)
	require.Empty(t, diags)
	assert.True(t, r.Config["password"].Value.HasMark(schema.Sensitive))
	b, secrets, err := s.EncodeJSON(r.Config, schema.Config)
	require.NoError(t, err)
	assert.Equal(t, `{"cluster":null,"keys":null,"mode":null,"password":null,"role":"train"}`, string(b))
	assert.Equal(t, map[string]string{"password": "hunter2", "keys": `{"a":"x<y","b":"hunter2"}`}, secrets)

	in.Config[0].Value = secret
	_, diags = s.Evaluate(in)
	assert.Equal(t, []string{`"role" is not for secrets`}, summaries(diags))
}

func TestReferencesStandInSensitiveAttributes(t *testing.T) {
	var src diag.Sources
	s := flavor(t, &src, attributes)
	for text, want := range map[string][]string{
		"role = \"x\"\npassword = secret(\"env:P\")":                               {},
		"role = \"x\"\npassword = \"a${env(\"P\")}b\"":                             {},
		"role = \"x\"\nkeys = { a = file(\"k\") }":                                 {},
		"role = \"x\"\npassword = \"hunter2\"":                                     {`"password" must not be written out`},
		"role = \"x\"\nkeys = { a = \"hunter2\" }":                                 {`"keys" must not be written out`},
		"role = secret(\"env:P\")":                                                 {`"role" holds a reference`},
		"role = \"x\"\ncluster = \"y${secret(\"cmd:pass\")}\"\nmode = \"cluster\"": {`"cluster" holds a reference`},
	} {
		config := values(t, &src, "c.hcl", text, "operator", schema.ModeReference, nil)
		_, diags := s.Evaluate(schema.Input{Stage: schema.StageStep, Config: config})
		assert.Equal(t, want, summaries(diags), text)
	}
}

func TestSizeLimit(t *testing.T) {
	var src diag.Sources
	s := flavor(t, &src, attributes)
	big := cty.StringVal(strings.Repeat("x", 10<<20))
	for _, g := range []schema.Given{
		given("instance_type", big, "step"),
		given("pod_labels", cty.ObjectVal(map[string]cty.Value{"a": big}), "step"),
		given("any", cty.TupleVal([]cty.Value{big}), "step"),
		given("pod_labels", cty.ObjectVal(map[string]cty.Value{strings.Repeat("k", 10<<20): cty.StringVal("")}), "step"),
	} {
		_, diags := s.Evaluate(schema.Input{Stage: schema.StageStep, Settings: []schema.Given{g}, Config: []schema.Given{given("role", cty.StringVal("x"), "o")}})
		if assert.Len(t, diags, 1) {
			assert.Contains(t, diags[0].Detail, "larger than")
			assert.Less(t, len(diags[0].Detail), 1000)
		}
	}
}

// TestZero: a zero or odd input is no reason to panic.
func TestZero(t *testing.T) {
	r, diags := (&schema.Schema{}).Evaluate(schema.Input{})
	assert.Empty(t, diags)
	assert.Empty(t, r.Config)
	var src diag.Sources
	s := flavor(t, &src, attributes)
	_, diags = s.Evaluate(schema.Input{Config: []schema.Given{{Name: "role"}, {Name: ""}}, Resources: map[string]schema.Given{"tpu": {}, "cpu": {Value: cty.DynamicVal}, "x": {Value: cty.DynamicVal}}})
	assert.Equal(t, []string{`Unknown config ""`, `The flavor cannot give "x"`, `Missing config "role"`}, summaries(diags))
}
