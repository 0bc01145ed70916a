package project_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/project"
	"github.com/stephost/stephost/host/schema"
)

// A secret stands on a validated, sensitive attribute: unknown while
// validating, judged at launch, stored as a reference.
func TestSensitiveConfig(t *testing.T) {
	const text = `
operator "o" {
  flavor = "cloud"
  config {
    role     = env("ROLE")
    password = secret("env:PW")
    account  = { user = "me", key = env("KEY") }
  }
  environment {
    image = "i"
  }
}
step "s" {
  command = ["x", "${env("ROLE")}!"]
  settings {
    token = "Bearer ${file("token")}"
  }
}
`
	w := loadFiles(t, map[string]string{"stephost.hcl": text, "token": "tok_value"})
	require.Empty(t, w.text(w.diags))
	m := flavor(t, cloud)
	r := w.request(m, "s", "o")

	early, diags := w.resolve(r)
	require.Empty(t, diags)
	assert.Nil(t, early.Config, "role is known at launch")
	assert.NotEmpty(t, early.Deferred)
	assert.Equal(t, []string{"x", project.LaunchTime}, early.Argv)

	t.Setenv("ROLE", "train")
	t.Setenv("PW", "pw_long_enough")
	t.Setenv("KEY", `quo"te`)
	r.Stage = schema.StageLaunch
	got, diags := w.resolve(r)
	require.Empty(t, diags)
	assert.Equal(t, []string{"x", "train!"}, got.Argv)
	assert.JSONEq(t, `{"account":null,"bucket_name":null,"password":null,"role":"train"}`, string(got.Config))
	expand := func(s string) string {
		v, err := project.ExpandSecret(context.Background(), s, r.Resolver)
		require.NoError(t, err)
		return v
	}
	assert.Equal(t, "pw_long_enough", expand(got.SecretConfig["password"]))
	assert.JSONEq(t, `{"user":"me","key":"quo\"te"}`, expand(got.SecretConfig["account"]))
	assert.Equal(t, "Bearer tok_value", expand(got.SecretSettings["token"]))
	for _, secret := range []string{"pw_long", "quo", "tok_value"} {
		assert.NotContains(t, got.SecretConfig["password"]+got.SecretConfig["account"]+got.SecretSettings["token"]+
			string(got.Config)+string(got.Settings)+string(got.Definition()), secret)
	}

	t.Setenv("PW", "pw")
	_, diags = w.resolve(r)
	assert.Contains(t, diags, "ust be longer than 3 characters")

	op, ds := project.ResolveOperator(context.Background(), project.OperatorRequest{Operator: w.project.Operators["o"], Manifest: m,
		Stage: schema.StageOperator, Sources: w.sources})
	require.Empty(t, w.text(ds))
	assert.Nil(t, op.Config)
	t.Setenv("PW", "pw_long_enough")
	op, ds = project.ResolveOperator(context.Background(), project.OperatorRequest{Operator: w.project.Operators["o"], Manifest: m,
		Stage: schema.StageLaunch, Sources: w.sources})
	require.Empty(t, w.text(ds))
	assert.JSONEq(t, string(got.Config), string(op.Config))
	assert.Equal(t, got.SecretConfig, op.SecretConfig)
}
