//go:build linux

package process

import (
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A person is told each panic with the flavor's name, whether it has ended one
// call or the process, and with the log off.
func TestPanicked(t *testing.T) {
	var mu sync.Mutex
	var got []Panic
	r := newRig(t, func(o *Options) {
		o.Panicked = func(p Panic) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, p)
		}
		o.Logger = hclog.NewNullLogger()
	})
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(got)
	}
	p := acquire(t, r, spec())
	_, err := tryPlan(t, p, "panic")
	require.Error(t, err)
	eventually(t, "the panic of a call", func() bool { return count() == 1 })
	_, err = tryPlan(t, p, "die")
	require.Error(t, err)
	_ = ended(t, p)
	eventually(t, "the panic of the process", func() bool { return count() == 2 })
	for _, x := range got {
		assert.Equal(t, "test", x.Flavor)
		assert.Equal(t, "1.2.3", x.Version)
		assert.Contains(t, x.Text, "goroutine ", "with its stack")
	}
}
