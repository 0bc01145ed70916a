package operatorv1_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func TestNoTextFormPrintsASecret(t *testing.T) {
	const value = "hunter2-value"
	secret := &operatorv1.Secret{Value: value}
	step := &operatorv1.Step{Argv: []string{"true"}, Secrets: map[string]*operatorv1.Secret{"HF_TOKEN": secret}}
	target := &operatorv1.Target{Config: &operatorv1.Values{Secrets: map[string]*operatorv1.Secret{"password": secret}}}
	submit := &operatorv1.SubmitRequest{Target: target, Step: step}

	for _, tc := range []struct {
		name string
		in   any
	}{
		{"secret", secret},
		{"step", step},
		{"target", target},
		{"submit", submit},
		{"slice", []*operatorv1.Secret{secret}},
	} {
		for _, verb := range []string{"%v", "%+v", "%s", "%q"} {
			t.Run(tc.name+verb, func(t *testing.T) {
				text := fmt.Sprintf(verb, tc.in)
				assert.NotContains(t, text, value)
			})
		}
	}
	assert.Contains(t, submit.String(), "HF_TOKEN", "names stay readable")
	assert.Contains(t, submit.String(), operatorv1.Redacted)
	assert.Equal(t, value, secret.GetValue(), "printing changes nothing")
	assert.Equal(t, "<nil>", (*operatorv1.Step)(nil).String())
}
