package torture

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/fault"
)

// programs of the fault flavors, made once.
var programs *fault.Programs

func TestMain(m *testing.M) {
	var err error
	if programs, err = fault.Build(context.Background(), "failpoint"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(Main(m))
}

func local() Flavor {
	return Flavor{Name: "local", Idempotency: Key, Setup: func(t *testing.T, w *World) {
		w.OK("operator", "register", "op", "--flavor=local")
	}}
}

func faulty(variant string) Flavor {
	return Flavor{Name: "fault-" + variant, Idempotency: variant, Setup: func(t *testing.T, w *World) {
		backend, err := programs.Start(context.Background(), filepath.Join(w.Dir, "backend"))
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, backend.Stop()) })
		w.BackendPID = backend.PID()
		plugin, err := programs.Install(w.Dir, variant)
		require.NoError(t, err)
		w.OK("flavor", "register", plugin)
		w.OK("operator", "register", "op", "--flavor=fault-"+variant, "--socket="+backend.Socket)
	}}
}

func TestTortureHostDies(t *testing.T) {
	free := newSlots()
	for _, f := range []Flavor{local(), faulty(Key), faulty(Search), faulty(None)} {
		t.Run(f.Name, func(t *testing.T) { hostDies(t, &f, free) })
	}
}

func TestTorturePluginDies(t *testing.T) {
	free := newSlots()
	for _, f := range []Flavor{local(), faulty(Key), faulty(Search), faulty(None)} {
		t.Run(f.Name, func(t *testing.T) { pluginDies(t, &f, free) })
	}
}

func TestTortureCancel(t *testing.T) {
	free := newSlots()
	for _, f := range []Flavor{local(), faulty(Key), faulty(Search)} {
		t.Run(f.Name, func(t *testing.T) { cancels(t, &f, free) })
	}
}

// TestTortureRandom: fault-none is not there, it cannot come through by itself.
func TestTortureRandom(t *testing.T) {
	Random(t, local(), faulty(Key), faulty(Search))
}

func TestTortureSameToken(t *testing.T) {
	processes := 100
	if testing.Short() {
		processes = 20
	}
	for _, f := range []Flavor{local(), faulty(Key)} {
		t.Run(f.Name, func(t *testing.T) { SameToken(t, f, processes) })
	}
}
