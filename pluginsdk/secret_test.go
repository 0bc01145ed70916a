package pluginsdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

func TestSecretNeverPrints(t *testing.T) {
	s := NewSecret("hunter2")
	type holder struct {
		Deep map[string]*Secret
		Flat Secret
	}
	h := holder{Deep: map[string]*Secret{"a": &s}, Flat: s}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T-%v"} {
		args := []any{s}
		if strings.HasPrefix(verb, "%T") {
			args = append(args, h)
		}
		assert.NotContains(t, fmt.Sprintf(verb, args...), "hunter2", verb)
		assert.NotContains(t, fmt.Sprintf(verb, h, h), "hunter2", verb)
	}
	data, err := json.Marshal(h)
	require.NoError(t, err)
	assert.NotContains(t, string(data), "hunter2")
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "s", s, "h", h)
	assert.NotContains(t, b.String(), "hunter2")
	assert.Equal(t, "hunter2", s.Reveal())
	assert.True(t, Secret{}.Empty())
	step := stepOf(&operatorv1.Step{Secrets: map[string]*operatorv1.Secret{"T": {Value: "hunter2"}}}, nil)
	assert.NotContains(t, fmt.Sprintf("%+v", step.Secrets), "hunter2")
}

func TestErrors(t *testing.T) {
	exit := exec.Command("sh", "-c", "exit 7").Run()
	tests := map[string]struct {
		err   error
		class Class
	}{
		"plain":     {errors.New("x"), ClassSystem},
		"user":      {User(3), ClassUser},
		"exit":      {exit, ClassUser},
		"capacity":  {fmt.Errorf("more: %w", Capacity(errors.New("x"))), ClassCapacity},
		"preempted": {Preempted(errors.New("x")), ClassPreempted},
		"timeout":   {Timeout(errors.New("x")), ClassTimeout},
		"config":    {Config("a.b", "x %d", 1), ClassConfig},
		"auth":      {Auth(errors.New("x")), ClassAuth},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tc.class, classOf(tc.err)) })
	}
	cause := errors.New("cause")
	require.ErrorIs(t, Config("a", "because: %w", cause), cause)
	assert.Equal(t, "because: cause", diagnosticOf(Config("a", "because: %w", cause)).GetSummary())
	assert.Equal(t, "unspecified error", (&Error{}).Error())
}

func TestDiagnosticsAreBounded(t *testing.T) {
	long := strings.Repeat("é", 20_000) + "\xff"
	d := diagnosticOf(errors.New("first line.\n" + long))
	assert.Equal(t, "first line", d.GetSummary())
	assert.LessOrEqual(t, len(d.GetDetail()), maxDetail)
	d = diagnosticOf(errors.New(long))
	assert.LessOrEqual(t, len(d.GetSummary()), maxSummary)
	assert.True(t, strings.HasSuffix(d.GetSummary(), "..."))
	assert.Len(t, diagnosticsOf(errors.Join(errors.New("a"), errors.Join(errors.New("b"), errors.New("c")))), 3)
}
