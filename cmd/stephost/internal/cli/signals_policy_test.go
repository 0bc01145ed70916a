//go:build !front

package cli

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPolicy(t *testing.T) {
	for _, tc := range []struct {
		name   string
		policy policy
		signal os.Signal
		want   wish
	}{
		{"Ctrl-C cancels", policy{}, os.Interrupt, wishCancel},
		{"TERM cancels by default", policy{term: wishCancel}, syscall.SIGTERM, wishCancel},
		{"TERM detaches when told", policy{term: wishDetach}, syscall.SIGTERM, wishDetach},
		{"Ctrl-C cancels whatever TERM does", policy{term: wishDetach}, os.Interrupt, wishCancel},
		{"HUP detaches", policy{term: wishCancel}, syscall.SIGHUP, wishDetach},
		{"a viewer leaves", policy{viewer: true}, os.Interrupt, wishLeave},
		{"a viewer leaves on TERM", policy{viewer: true, term: wishCancel}, syscall.SIGTERM, wishLeave},
	} {
		t.Run(tc.name, func(t *testing.T) { assert.Equal(t, tc.want, tc.policy.wish(tc.signal)) })
	}
}

func TestOnTermDefault(t *testing.T) {
	for _, tc := range []struct {
		name, flag, env, token string
		want                   wish
		bad                    bool
	}{
		{"nothing said", "", "", "", wishCancel, false},
		{"a token comes back", "", "", "dag/1", wishDetach, false},
		{"the environment says it", "", "detach", "", wishDetach, false},
		{"the environment beats the token", "", "cancel", "dag/1", wishCancel, false},
		{"the flag beats the environment", "cancel", "detach", "dag/1", wishCancel, false},
		{"nonsense is refused", "", "sometimes", "", "", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv(envOnTerm, tc.env)
			l := launchFlags{onTerm: tc.flag, token: tc.token}
			p, err := l.policy(&app{})
			if tc.bad {
				assert.ErrorContains(t, err, "sometimes")
				return
			}
			assert.NoError(t, err)
			assert.Equal(t, tc.want, p.term)
		})
	}
}

func TestSignalExit(t *testing.T) {
	assert.Equal(t, 0, signalExit(nil))
	assert.Equal(t, 130, signalExit(os.Interrupt))
	assert.Equal(t, 143, signalExit(syscall.SIGTERM))
	assert.Equal(t, 129, signalExit(syscall.SIGHUP))
}
