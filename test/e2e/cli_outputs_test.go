//go:build unix

package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/fault"
	"github.com/stephost/stephost/test/fault/wire"
)

// leaves is a step that leaves 40 MB and a small file, and prints the digest of
// the first.
const leaves = `cd "$STEPHOST_OUTPUT_DIR"; mkdir -p deep; head -c 40000000 /dev/urandom > deep/big; printf small > small; sha256sum deep/big | cut -d' ' -f1`

// left launches a step that leaves files in a store.
func left(t *testing.T, f wire.Faults) (l *lab, id, digest, dir string, errs func(args ...string) (string, string, int)) {
	f.RemoteOutputs = true
	l, backend := newFaultLab(t, "key", f)
	out, text, code := l.run(l.step(leaves).launch("--step-name", "train")...)
	require.Equal(t, 0, code, text)
	dir = filepath.Join(t.TempDir(), "here")
	id = l.only().Run
	t.Cleanup(func() { require.NoError(t, backend.SetWeather(context.Background(), wire.Weather{})) })
	return l, id, out[:64], dir, func(args ...string) (string, string, int) {
		return l.run(append([]string{"run", "outputs", id, "--get", dir}, args...)...)
	}
}

func digestOf(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// A transfer that breaks, is refused, and loses its plugin, goes on behind what is
// there; a name that leads out of the directory is refused, and nothing else.
func TestFetchOutputs(t *testing.T) {
	t.Parallel()
	_, id, digest, dir, get := left(t, wire.Faults{OutputErrors: 1, OutputBreaks: 2, OutputKills: 1, OutputBreakAfter: 9_000_000, OutputNames: []string{"../../../evil"}})
	stdout, stderr, code := get()
	assert.Equal(t, 125, code, "one of them was not fetched")
	assert.Contains(t, stderr, "leads out of the directory")
	assert.Contains(t, stderr, "trying again")
	assert.Contains(t, stderr, "fetched 2 of 2 files, 38 MiB")
	assert.Contains(t, stdout, filepath.Join(dir, "output", "deep", "big")+"\n")
	assert.Equal(t, digest, digestOf(t, filepath.Join(dir, "output", "deep", "big")))
	found, err := filepath.Glob(filepath.Join(dir, "..", "*"))
	require.NoError(t, err)
	assert.Equal(t, []string{dir}, found, "nothing beside the directory")

	// Again: what is there is kept, what is another file is not replaced.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "output", "small"), []byte("mine!"), 0o600))
	stdout, stderr, code = get("--output", "json")
	assert.Equal(t, 125, code)
	assert.Empty(t, stderr)
	var doc struct {
		Item struct {
			Run     string   `json:"run"`
			Copied  []string `json:"copied"`
			Fetched []struct {
				Path  string `json:"path"`
				Bytes int64  `json:"bytes"`
				State string `json:"state"`
			} `json:"fetched"`
		} `json:"item"`
	}
	first, second, _ := strings.Cut(stdout, "\n")
	assert.Contains(t, second, "--overwrite")
	require.NoError(t, json.Unmarshal([]byte(first), &doc), stdout)
	assert.Equal(t, id, doc.Item.Run)
	require.Len(t, doc.Item.Fetched, 1)
	assert.Equal(t, "kept", doc.Item.Fetched[0].State)
	assert.EqualValues(t, 40_000_000, doc.Item.Fetched[0].Bytes)
	assert.Len(t, doc.Item.Copied, 1)
	_, _, _ = get("--overwrite")
	text, err := os.ReadFile(filepath.Join(dir, "output", "small"))
	require.NoError(t, err)
	assert.Equal(t, "small", string(text))
}

// On a terminal a line of progress changes in place. Ctrl-C leaves what is there,
// and the next call goes on behind it.
func TestFetchOutputsIsInterrupted(t *testing.T) {
	t.Parallel()
	l, id, digest, dir, get := left(t, wire.Faults{OutputStalls: 1, OutputBreakAfter: 30_000_000})
	p := l.startTerminal("run", "outputs", id, "--get", dir)
	require.Eventually(t, func() bool {
		parts, err := filepath.Glob(filepath.Join(dir, ".stephost-part-*"))
		if err != nil || len(parts) != 1 {
			return false
		}
		info, err := os.Stat(parts[0])
		return err == nil && info.Size() > 29_000_000
	}, hang, 20*time.Millisecond, "nothing comes: %s", p.out)
	_, err := p.pty.Write([]byte{3})
	require.NoError(t, err)
	assert.Equal(t, 130, p.wait(), p.out)
	assert.NoFileExists(t, filepath.Join(dir, "output", "deep", "big"))
	assert.Contains(t, p.out.String(), "fetching ")
	_, stderr, code := get()
	require.Equal(t, 0, code, stderr)
	assert.Equal(t, digest, digestOf(t, filepath.Join(dir, "output", "deep", "big")))
	parts, err := filepath.Glob(filepath.Join(dir, ".stephost-part-*"))
	require.NoError(t, err)
	assert.Empty(t, parts)
}

// Each run's outputs are read by the flavor version that launched it, whatever
// the operator has become: a version that cannot be started harms its own runs
// only, and no other stands in for it.
func TestFetchOutputsWithTheVersionOfTheRun(t *testing.T) {
	t.Parallel()
	l, _ := newFaultLab(t, "key", wire.Faults{RemoteOutputs: true})
	launch := func(version string) (id string) {
		_, errs, code := l.run(l.step("printf "+version+" > $STEPHOST_OUTPUT_DIR/x").launch("--step-name", "train", "--run-token", version)...)
		require.Equal(t, 0, code, errs)
		return l.runs()[0].Run
	}
	older := launch("0.1.0")
	programs, err := fault.BuildVersion(t.Context(), "0.2.0", "key")
	require.NoError(t, err)
	plugin, err := programs.Install(t.TempDir(), "key")
	require.NoError(t, err)
	l.must("flavor", "register", plugin)
	l.must("operator", "update", "here", "--flavor-version=0.2.0")
	newer := launch("0.2.0")
	require.NotEqual(t, older, newer)
	fetched := func(id string) string {
		dir := t.TempDir()
		l.must("run", "outputs", id, "--get", dir)
		text, err := os.ReadFile(filepath.Join(dir, "output", "x"))
		require.NoError(t, err)
		return string(text)
	}
	assert.Equal(t, "0.1.0", fetched(older))
	assert.Equal(t, "0.2.0", fetched(newer))

	for version, c := range map[string]struct{ broken, whole string }{"0.1.0": {older, newer}, "0.2.0": {newer, older}} {
		mend := l.damage("fault-key@" + version)
		_, errs, code := l.run("run", "outputs", c.broken, "--get", t.TempDir())
		assert.Equal(t, 125, code)
		assert.Contains(t, errs, "fault-key@"+version)
		assert.NotEmpty(t, fetched(c.whole))
		mend()
	}

	// Nobody's operator is asked: it may be gone, and so may the newer version.
	l.must("operator", "delete", "here")
	l.must("flavor", "delete", "fault-key@0.2.0")
	assert.Equal(t, "0.1.0", fetched(older))
	_, errs, code := l.run("run", "outputs", newer, "--get", t.TempDir())
	assert.Equal(t, 125, code)
	assert.Contains(t, errs, "fault-key@0.2.0")
}

// damage changes the stored file of a flavor, as a failing disk would, and
// returns what puts it right.
func (l *lab) damage(flavor string) (mend func()) {
	l.t.Helper()
	var doc struct {
		Item struct {
			Implementation struct {
				Path string `json:"path"`
			} `json:"implementation"`
		} `json:"item"`
	}
	require.NoError(l.t, json.Unmarshal([]byte(l.must("flavor", "describe", flavor, "--output", "json")), &doc))
	path := doc.Item.Implementation.Path
	require.NotEmpty(l.t, path)
	whole, err := os.ReadFile(path)
	require.NoError(l.t, err)
	put := func(data []byte) { // by rename: a file that was just executed may still be busy
		next := filepath.Join(l.t.TempDir(), "next")
		require.NoError(l.t, os.WriteFile(next, data, 0o500))
		require.NoError(l.t, os.Rename(next, path))
	}
	put(append([]byte{0}, whole[1:]...))
	return func() { put(whole) }
}

// Expired credentials end it at once and say so; nothing is taken for a file.
func TestFetchOutputsWithExpiredCredentials(t *testing.T) {
	t.Parallel()
	l, backend := newFaultLab(t, "key", wire.Faults{RemoteOutputs: true})
	_, errs, code := l.run(l.step("printf x > $STEPHOST_OUTPUT_DIR/x").launch("--step-name", "train")...)
	require.Equal(t, 0, code, errs)
	id := l.only().Run
	dir := t.TempDir()
	require.NoError(t, backend.SetWeather(context.Background(), wire.Weather{Unauthorized: true}))
	_, errs, code = l.run("run", "outputs", id, "--get", dir)
	assert.Equal(t, 125, code)
	assert.Contains(t, errs, "renew the credentials")
	require.NoError(t, backend.SetWeather(context.Background(), wire.Weather{Account: "other"}))
	_, errs, code = l.run("run", "outputs", id, "--get", dir)
	assert.Equal(t, 125, code)
	assert.Contains(t, errs, "another one than the run was sent to")
	require.NoError(t, backend.SetWeather(context.Background(), wire.Weather{Account: "main"}))
	l.must("run", "outputs", id, "--get", dir)
	text, err := os.ReadFile(filepath.Join(dir, "output", "x"))
	require.NoError(t, err)
	assert.Equal(t, "x", string(text))
}

// What a flavor notes for doctor is shown as what it is: nothing wrong.
func TestDoctorShowsNotes(t *testing.T) {
	t.Parallel()
	l, _ := newFaultLab(t, "key", wire.Faults{})
	out := l.must("doctor", "here")
	assert.Contains(t, out, "ok       operator here: fault account main answers\n")
}
