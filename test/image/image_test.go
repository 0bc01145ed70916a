//go:build linux

package image

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/environment"
	"github.com/stephost/stephost/host/environment/image"
)

// TestImage follows one step from its first build: what is in the image runs, and
// later builds do what they must and no more. Every number of bytes is the
// registry's own.
func TestImage(t *testing.T) {
	w := newWorld(t)
	var first *environment.Image
	taken := w.taken(func() { first = w.build() })
	t.Logf("cold: %s, %d bytes in %d blobs", first.Took, sum(taken), len(taken))
	assert.GreaterOrEqual(t, sum(taken), first.UploadedBytes)
	assert.NotZero(t, first.UploadedBytes)
	base := layerOfKind(t, first, image.Base)
	assert.Equal(t, image.Mounted, base.State)
	assert.NotContains(t, taken, base.Digest, "of the base nothing travels within one registry")

	t.Run("runs", func(t *testing.T) {
		w := w.in(t)
		b := w.unpack(first.Pushed)
		ran := w.run(b, "python3", "train.py", "$(HOME)", "", "a b")
		assert.Equal(t, 7, ran.Code, ran.Output)
		for _, want := range []string{`(?m)^numpy 2\.2\.\d+$`, `(?m)^scikit-learn 1\.6\.\d+$`, `(?m)^idna \d`, `(?m)^six 1\.16\.0 /usr/lib/python3/dist-packages/six\.py$`,
			`(?m)^slope 2\.0$`, `(?m)^word one \['\$\(HOME\)', '', 'a b'\]$`, `(?m)^tabulate \['a', 'b', '1', '2'\]$`} {
			assert.Regexp(t, regexp.MustCompile(want), ran.Output)
		}
		var have []string
		for _, p := range first.Packages {
			have = append(have, p.Name)
		}
		assert.Subset(t, have, []string{"numpy", "scikit-learn", "scipy", "tabulate", "idna"})
		assert.NotContains(t, have, "six", "the base has it")
		require.Len(t, first.Satisfied, 1)
		assert.Equal(t, "1.16.0", first.Satisfied[0].Version)
		// Isolated, with a package of the layer and one of the base.
		ran = w.run(b, "python3", "-I", "-c", "import yaml, numpy; print(yaml.__name__, numpy.__name__)")
		assert.Equal(t, Ran{Output: "yaml numpy\n"}, *ran)
	})

	t.Run("nothing changed", func(t *testing.T) {
		w := w.in(t)
		w.request.Environ = cutOff()
		var again *environment.Image
		taken := w.taken(func() { again = w.build() })
		t.Logf("nothing changed: %s", again.Took)
		assert.Empty(t, taken, "the registry took nothing")
		assert.Zero(t, again.UploadedBytes)
		assert.Equal(t, first.Pushed, again.Pushed)
	})

	t.Run("code changed", func(t *testing.T) {
		w := w.in(t)
		w.request.Environ = cutOff()
		w.write("helper/words.py", "word = 'two'\n")
		defer w.write("helper/words.py", "word = 'one'\n")
		var changed *environment.Image
		taken := w.taken(func() { changed = w.build() })
		t.Logf("code changed: %s, the registry took %v", changed.Took, taken)
		source := layerOfKind(t, changed, image.Source)
		img, err := w.r.Pull(t.Context(), changed.Pushed)
		require.NoError(t, err)
		config, err := img.ConfigName()
		require.NoError(t, err)
		manifest, err := img.Digest()
		require.NoError(t, err)
		for digest := range taken {
			assert.Contains(t, []string{source.Digest, config.String(), manifest.String()}, digest, "the source layer, the config, the manifest, and no more")
		}
		assert.Contains(t, taken, source.Digest)
		assert.Equal(t, source.Size, changed.UploadedBytes)
		assert.Less(t, taken[source.Digest], int64(4<<10))
		layers, err := img.Layers()
		require.NoError(t, err)
		files, err := Files(layers[len(layers)-1])
		require.NoError(t, err)
		assert.Equal(t, "word = 'two'\n", string(files["stephost/src/helper/words.py"]))
	})

	t.Run("the same elsewhere", func(t *testing.T) {
		w := w.in(t)
		uv, err := exec.LookPath("uv")
		if err != nil && os.Getenv("CI") != "true" {
			t.Skip("NOT TESTED: uv is not on PATH, and another user cannot use this one's Python")
		}
		require.NoError(t, err)
		dir, err := os.MkdirTemp("", "stephost elsewhere ")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		r := w.request
		r.Dir, r.CacheDir, r.ShimDir = filepath.Join(dir, "some", "where"), filepath.Join(dir, "cache"), filepath.Join(dir, "shims")
		r.Sources = []environment.Source{{Path: r.Dir}}
		for from, to := range map[string]string{w.request.Dir: r.Dir, w.request.ShimDir: r.ShimDir} {
			require.NoError(t, os.CopyFS(to, os.DirFS(from)))
		}
		for from, to := range map[string]string{uv: "uv", os.Args[0]: "builder"} {
			copyExecutable(t, from, filepath.Join(dir, to))
		}
		require.NoError(t, exec.Command("chown", "-R", "65534:65534", dir).Run())
		r.Progress = nil
		r.Environ = []string{"PATH=" + dir + ":/usr/bin:/bin", "HOME=" + dir, "TZ=Asia/Tokyo", "USER=nobody", "LANG=C"}
		for _, kv := range os.Environ() { // where the index is
			if strings.HasPrefix(kv, "PIP_") || strings.HasPrefix(kv, "UV_") || strings.Contains(kv, "CERT") || strings.Contains(strings.ToLower(kv), "_proxy=") {
				r.Environ = append(r.Environ, kv)
			}
		}
		out, err := elsewhere(t, dir, r, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}})
		require.NoError(t, err, out)
		assert.Equal(t, first.Pushed, strings.TrimSpace(out), "another directory, user and time zone")
	})
}

// TestTwoAtOnceBuildOnce: two processes of one home build the same step at the same time.
// Each layer is packed once and sent once, by the count of the relay before the registry.
func TestTwoAtOnceBuildOnce(t *testing.T) {
	w := newWorld(t)
	w.bulky(20)
	f := newFront(t, w.r.Host)
	w.request.BaseImage = strings.Replace(w.request.BaseImage, w.r.Host, f.host, 1)
	w.request.RegistryPush = f.host + "/at/once"
	c := newCLI(t, w)
	type ended struct {
		out, told string
		err       error
	}
	both := make(chan ended, 2)
	for range cap(both) {
		cmd, stderr := c.build()
		go func() {
			out, err := cmd.Output()
			both <- ended{string(out), stderr.String(), err}
		}()
	}
	one, other := <-both, <-both
	require.NoError(t, one.err, one.told)
	require.NoError(t, other.err, other.told)
	assert.Equal(t, one.out, other.out)
	for _, act := range []string{"packing the source", "packing 1 packages", "resolving requirements with"} {
		assert.Equal(t, 1, strings.Count(one.told+other.told, act), "%s: %s%s", act, one.told, other.told)
	}
	sent := map[string]int{}
	for _, p := range f.all() {
		if p.method == http.MethodPut && p.code == http.StatusCreated {
			sent[p.digest]++
		}
	}
	img, err := w.r.Pull(t.Context(), strings.Replace(strings.TrimSpace(one.out), f.host, w.r.Host, 1))
	require.NoError(t, err)
	layers, err := img.Layers()
	require.NoError(t, err)
	require.Len(t, layers, 4)
	for i, l := range layers {
		digest, err := l.Digest()
		require.NoError(t, err)
		want := 1
		if i == 0 {
			want = 0 // the base is mounted
		}
		assert.Equal(t, want, sent[digest.String()], "layer %d", i)
	}
	w.soundCache(c.cache())
}

func sum(taken map[string]int64) (n int64) {
	for _, size := range taken {
		n += size
	}
	return n
}

// cutOff is an environment from which no index can be reached.
func cutOff() []string {
	return append(os.Environ(), "HTTP_PROXY=http://127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1", "NO_PROXY=127.0.0.1", "UV_OFFLINE=1", "PIP_RETRIES=0")
}

// elsewhere builds in another process. Its executable lies in dir.
func elsewhere(t *testing.T, dir string, r environment.ImageRequest, attr *syscall.SysProcAttr) (string, error) {
	t.Helper()
	cmd, stderr := elsewhereCommand(t, dir, r, attr)
	out, err := cmd.Output()
	if err != nil {
		return stderr.String(), err
	}
	return string(out), nil
}

func elsewhereCommand(t *testing.T, dir string, r environment.ImageRequest, attr *syscall.SysProcAttr) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	data, err := json.Marshal(request{r.BaseImage, r.RegistryPush, r.Platform, r.CacheDir, r.Dir, r.RequirementsFile, r.ShimDir, r.Requirements})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "builder"), "build-for-test")
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, r.Environ, attr
	cmd.Stdin = bytes.NewReader(data)
	stderr := &bytes.Buffer{}
	cmd.Stderr = stderr
	return cmd, stderr
}

func copyExecutable(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	require.NoError(t, err)
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
}
