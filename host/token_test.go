package host_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host"
	"github.com/stephost/stephost/host/home"
	"github.com/stephost/stephost/host/registry"
	"github.com/stephost/stephost/host/runs"
)

// elsewhere is another machine with the same operator, whose backend is the same.
func (w *world) elsewhere() *world {
	flavors, err := w.host().Registry().Flavors(w.ctx)
	require.NoError(w.t, err)
	other := *w
	other.home = home.At(w.t.TempDir())
	h := other.host()
	_, err = h.Registry().Register(w.ctx, flavors[0].From, registry.RegisterOptions{})
	require.NoError(w.t, err)
	_, err = h.Registry().PutOperatorText(w.ctx, fmt.Appendf(nil, "operator \"op\" {\n  flavor = %q\n  config {\n    socket = %q\n  }\n}\n",
		flavors[0].Name, w.backend.Socket), registry.WriteOptions{})
	require.NoError(w.t, err)
	return &other
}

func (w *world) again(step, token string) (*runs.Run, error) {
	h := w.host()
	l, err := h.Launch(w.ctx, host.LaunchRequest{Selection: w.selection(h, step), Token: token, Again: true})
	require.NoError(w.t, err)
	return l.Wait(w.ctx)
}

// Another attempt is one more, and one only, whatever the machines know that ask for it.
func TestAgainElsewhere(t *testing.T) {
	t.Parallel()
	a := newWorld(t, "key")
	b, c := a.elsewhere(), a.elsewhere()
	argv, ran := witness(t, "[ $STEPHOST_ATTEMPT -ge 4 ] || exit 7")
	text := step(argv, "")
	for _, w := range []*world{a, b} { // both know attempt 1
		_, r, err := w.launch(w.host(), text, "tok")
		require.NoError(t, err)
		assert.Equal(t, "user", r.Verdict.Class)
	}
	assert.Equal(t, []string{"1"}, ran())

	r, err := b.again(text, "tok")
	require.NoError(t, err)
	assert.Equal(t, "user", r.Verdict.Class)
	// This one does not know of attempt 2, which has ended.
	r, err = a.again(text, "tok")
	require.NoError(t, err)
	assert.Equal(t, "user", r.Verdict.Class, r.Verdict.Message)
	assert.Equal(t, []string{"1", "2", "3"}, ran())
	// And this one knows nothing at all.
	r, err = c.again(text, "tok")
	require.NoError(t, err)
	assert.Equal(t, "succeeded", r.Verdict.Class, r.Verdict.Message)
	// What has succeeded is not made again, from anywhere.
	for _, w := range []*world{a, b, c} {
		r, err = w.again(text, "tok")
		require.NoError(t, err)
		assert.Equal(t, "succeeded", r.Verdict.Class, r.Verdict.Message)
	}
	assert.Equal(t, []string{"1", "2", "3", "4"}, ran())
}

// A token travels in messages, which hold UTF-8.
func TestTokenThatIsNoText(t *testing.T) {
	w := newWorld(t, "key")
	h := w.host()
	_, err := h.Launch(w.ctx, host.LaunchRequest{Selection: w.selection(h, step(`["true"]`, "")), Token: "a\xff"})
	assert.ErrorContains(t, err, "no UTF-8")
	store, err := h.Runs(w.ctx)
	require.NoError(t, err)
	all, err := store.List(w.ctx, runs.Filter{})
	require.NoError(t, err)
	assert.Empty(t, all)
}

// Two machines that ask for another attempt at the same time get the same one.
func TestAgainAtOnce(t *testing.T) {
	t.Parallel()
	a := newWorld(t, "key")
	b := a.elsewhere()
	argv, ran := witness(t, "sleep 1; exit 7")
	text := step(argv, "")
	for _, w := range []*world{a, b} {
		_, _, err := w.launch(w.host(), text, "tok")
		require.NoError(t, err)
	}
	ended := make(chan *runs.Run, 2)
	for _, w := range []*world{a, b} {
		h := w.host()
		l, err := h.Launch(w.ctx, host.LaunchRequest{Selection: w.selection(h, text), Token: "tok", Again: true})
		require.NoError(t, err)
		go func() {
			r, err := l.Wait(w.ctx)
			assert.NoError(t, err)
			ended <- r
		}()
	}
	for range 2 {
		r := <-ended
		require.NotNil(t, r.Verdict)
		assert.Equal(t, "user", r.Verdict.Class, r.Verdict.Message)
	}
	assert.Equal(t, []string{"1", "2"}, ran())
}
