package problem_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/stephost/stephost/host/problem"
)

// saying is an error that knows its problem.
type saying struct{ p *problem.Error }

func (s saying) Error() string           { return "saying" }
func (s saying) Problem() *problem.Error { return s.p }

func TestOf(t *testing.T) {
	p := &problem.Error{Summary: "no such run", Next: "see run list"}
	assert.Same(t, p, problem.Of(fmt.Errorf("launch: %w", p)))
	assert.Same(t, p, problem.Of(fmt.Errorf("launch: %w", saying{p})))
	assert.Equal(t, "plain", problem.Of(errors.New("plain")).Error())
}
