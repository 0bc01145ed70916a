package gcstart

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSettle(t *testing.T) {
	_, own, _ := strings.Cut(Environ(), "=")
	for given, want := range map[string]string{own: "", "50": "50", "off": "off"} {
		t.Setenv(Name, given)
		Settle()
		assert.Equal(t, want, os.Getenv(Name))
	}
}
