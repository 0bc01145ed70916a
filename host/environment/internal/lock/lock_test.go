package lock_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/stephost/stephost/host/environment/internal/lock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOneAtATime(t *testing.T) {
	name := filepath.Join(t.TempDir(), "d", "lock")
	inside, most := 0, 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			l, err := lock.Take(context.Background(), name, nil)
			if !assert.NoError(t, err) {
				return
			}
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			runtime.Gosched()
			mu.Lock()
			inside--
			mu.Unlock()
			l.Release()
		})
	}
	wg.Wait()
	assert.Equal(t, 1, most)
}

func TestTry(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	l := lock.Try(name)
	require.NotNil(t, l)
	assert.Nil(t, lock.Try(name))
	l.Release()
	l = lock.Try(name)
	require.NotNil(t, l)
	l.Release()
}

func TestWaitEndsWithItsContext(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	l, err := lock.Take(t.Context(), name, nil)
	require.NoError(t, err)
	defer l.Release()
	ctx, cancel := context.WithCancel(t.Context())
	_, err = lock.Take(ctx, name, cancel)
	assert.ErrorIs(t, err, context.Canceled)
}

// TestAChildKeepsTheLock: the holder goes without releasing; its child has the
// file.
func TestAChildKeepsTheLock(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("NOT TESTED on Windows: files are not passed on to children there")
	}
	name := filepath.Join(t.TempDir(), "lock")
	l, err := lock.Take(t.Context(), name, nil)
	require.NoError(t, err)
	cmd := exec.Command("cat") // until its input ends
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	cmd.ExtraFiles = []*os.File{l.File()}
	require.NoError(t, cmd.Start())
	require.NoError(t, l.File().Close()) // as the death of the holder does

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = lock.Take(ctx, name, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
	l, err = lock.Take(t.Context(), name, nil)
	require.NoError(t, err)
	l.Release()
}
