package launch

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/host/project"
)

// shell is the environment of a process, and nothing else.
type shell map[string]string

func (s shell) Env(name string) (string, error) {
	if v, ok := s[name]; ok {
		return v, nil
	}
	return "", errors.New("not set")
}

func (s shell) File(string) (string, error) { return "file", nil }

func (s shell) Secret(ref string) (string, error) {
	if ref == "env:B" {
		return s.Env("B")
	}
	return "command", nil
}

func TestMarksOf(t *testing.T) {
	step := &project.Resolved{
		Secrets:        map[string]string{"X": "\x00ref:env:A\x00", "Y": "a \x00ref:file:/f\x00 b", "Z": "\x00ref:secret:cmd:c\x00"},
		SecretSettings: map[string]string{"s": "\x00ref:secret:env:B\x00"},
	}
	marks := marksOf(t.Context(), step, shell{"A": "hunter2"})
	assert.Equal(t, map[string]string{"A": mark("A", "hunter2"), "B": ""}, marks)
	assert.Len(t, marks["A"], 2*markBytes, "too short to say what the value is")
	assert.NotEqual(t, mark("A", "x"), mark("B", "x"))
	assert.Empty(t, marksOf(t.Context(), &project.Resolved{Secrets: map[string]string{"Y": "\x00ref:file:/f\x00"}}, shell{}))
}

func TestLauncher(t *testing.T) {
	marks := map[string]string{"A": mark("A", "first"), "B": ""}
	for _, tc := range []struct {
		name, ask string
		here      shell
		ok        bool
	}{
		{"the same value", "env:A", shell{"A": "first"}, true},
		{"another value", "env:A", shell{"A": "second"}, false},
		{"not set here", "env:A", shell{}, false},
		{"not set there", "env:B", shell{"B": "x"}, false},
		{"not known there", "env:C", shell{"C": "x"}, false},
		{"a command", "cmd:c", shell{}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := launcher{tc.here, marks}.Secret(tc.ask)
			assert.Equal(t, tc.ok, err == nil, "%v", err)
		})
	}
}
