package requirements

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// targetForTest is another process that needs the same packages.
func targetForTest(cache, index string) int {
	built := ""
	out, err := ResolveTarget(context.Background(), TargetRequest{Base: slim(), CacheDir: cache, Requirements: []string{index, "small"},
		Progress: func(line string) {
			if strings.HasPrefix(line, "resolving requirements ") {
				built = "built "
			}
		}})
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println(built + out.Key)
	return 0
}

func TestTargetTwoProcessesBuildOnce(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	eachTool(t, func(t *testing.T, environ []string) {
		cache, links := t.TempDir(), wheels(t)
		outputs := make([]string, 4)
		var wg sync.WaitGroup
		for i := range outputs {
			wg.Go(func() {
				cmd := exec.Command(self, "target-for-test", cache, "-f "+links)
				cmd.Env = append(environ, "PIP_NO_INDEX=1", "UV_NO_INDEX=1")
				out, err := cmd.CombinedOutput()
				outputs[i] = string(out)
				assert.NoError(t, err, outputs[i])
			})
		}
		wg.Wait()
		built, keys := 0, map[string]bool{}
		for _, out := range outputs {
			key, did := strings.CutPrefix(out, "built ")
			if did {
				built++
			}
			keys[key] = true
		}
		assert.Equal(t, 1, built, "%q", outputs)
		assert.Len(t, keys, 1, "%q", outputs)
	})
}

// TestTargetKilledBuilder: SIGKILL while the installer waits for the index.
func TestTargetKilledBuilder(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	eachTool(t, func(t *testing.T, environ []string) {
		reached := make(chan struct{})
		var first sync.Once
		url, _ := index(t, wheels(t), func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				stall := false
				first.Do(func() { stall = true })
				if stall {
					close(reached)
					<-r.Context().Done()
					return
				}
				next.ServeHTTP(w, r)
			})
		})
		cache := t.TempDir()
		build := func() *exec.Cmd {
			cmd := exec.Command(self, "target-for-test", cache, "-i "+url+"/simple/")
			cmd.Env = append(environ, "UV_CACHE_DIR="+filepath.Join(cache, "uv"), "PIP_NO_CACHE_DIR=1")
			return cmd
		}
		cmd := build()
		require.NoError(t, cmd.Start())
		<-reached
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
		out, err := build().CombinedOutput()
		require.NoError(t, err, string(out))
		assert.True(t, strings.HasPrefix(string(out), "built sha256:"), string(out))
		left, err := filepath.Glob(filepath.Join(cache, "packages", "requests", "*.tmp*"))
		require.NoError(t, err)
		assert.Empty(t, left)
	})
}
