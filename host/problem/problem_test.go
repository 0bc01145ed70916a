package problem_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/host/problem"
)

func TestError(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   *problem.Error
		want string
	}{
		{"summary", &problem.Error{Summary: "no such run"}, "no such run"},
		{"subject", &problem.Error{Flavor: "local", Operator: "here", Run: "01J", Phase: "submit", Summary: "refused"},
			"flavor local, operator here, run 01J, phase submit: refused"},
		{"cause", &problem.Error{Summary: "cannot read", Err: fs.ErrPermission}, "cannot read: permission denied"},
		{"a cause for programs alone", &problem.Error{Summary: "no Python found", Err: errors.New("")}, "no Python found"},
	} {
		t.Run(tc.name, func(t *testing.T) { assert.Equal(t, tc.want, tc.in.Error()) })
	}
	assert.ErrorIs(t, &problem.Error{Err: fs.ErrNotExist}, fs.ErrNotExist)
}

func TestErrorIsBounded(t *testing.T) {
	e := &problem.Error{Summary: "long", Err: errors.New(strings.Repeat("ö", problem.Limit))}
	assert.LessOrEqual(t, len(e.Error()), problem.Limit)
	assert.Contains(t, e.Error(), "(cut)")
	assert.True(t, strings.HasPrefix(e.Error(), "long: ö"))
}
