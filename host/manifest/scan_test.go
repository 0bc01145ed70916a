package manifest_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/manifest"
)

const window = 1 << 20

func file(t testing.TB, parts ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plugin")
	require.NoError(t, os.WriteFile(path, bytes.Join(parts, nil), 0o600))
	return path
}

func TestScan(t *testing.T) {
	a, b := minimal("a", ""), minimal("b", "")
	header := "#!stephost flavor manifest v1 "
	noise := make([]byte, 100_000)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for _, tc := range []struct {
		name  string
		parts [][]byte
		want  []byte
		err   error
	}{
		{"plain", [][]byte{manifest.Stamp(a)}, a, nil},
		{"in noise", [][]byte{noise, manifest.Stamp(a), noise}, a, nil},
		{"two copies", [][]byte{manifest.Stamp(a), noise, manifest.Stamp(a)}, a, nil},
		{"different", [][]byte{manifest.Stamp(a), noise, manifest.Stamp(b)}, nil, manifest.ErrConflict},
		{"none", [][]byte{noise}, nil, manifest.ErrNoManifest},
		{"empty", nil, nil, manifest.ErrNoManifest},
		{"stray literals", [][]byte{[]byte(header), []byte(header + "12 sha256:%s\n"), manifest.Stamp(a), []byte(header + "5 sha256:" + strings.Repeat("0", 64) + "\nxxxxx")}, a, nil},
		{"wrong hash", [][]byte{[]byte(header + "5 sha256:" + strings.Repeat("0", 64) + "\nxxxxx")}, nil, manifest.ErrNoManifest},
		{"cut", [][]byte{manifest.Stamp(a)[:len(a)]}, nil, manifest.ErrNoManifest},
		{"too long a promise", [][]byte{[]byte(header + "999999999 sha256:" + strings.Repeat("0", 64) + "\n")}, nil, manifest.ErrNoManifest},
		{"python", [][]byte{[]byte("#!/usr/bin/python3\n"), manifest.Comment(a, "# "), []byte("import os\n")}, a, nil},
		{"python without spaces", [][]byte{[]byte("#!/usr/bin/python3\n"), manifest.Comment(a, "#"), []byte("import os\n")}, a, nil},
		{"javascript", [][]byte{[]byte("#!/usr/bin/env node\n"), manifest.Comment(a, "// "), []byte("x()\n")}, a, nil},
		{"windows line ends", [][]byte{bytes.ReplaceAll(manifest.Comment(a, "# "), []byte("\n"), []byte("\r\n"))}, a, nil},
		{"header at the line's start", [][]byte{[]byte("#!/usr/bin/python3\n"), bytes.Replace(manifest.Comment(a, "# "), []byte("# #!"), []byte("#!"), 1)}, a, nil},
		{"many headers", [][]byte{bytes.Repeat([]byte(header+"5 sha256:"+strings.Repeat("0", 64)+"\n"), 1000)}, nil, manifest.ErrConflict},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := manifest.Scan(t.Context(), file(t, tc.parts...))
			assert.ErrorIs(t, err, tc.err)
			assert.Equal(t, string(tc.want), string(got))
		})
	}
}

// TestScanAcrossWindows puts a manifest at every kind of place around the border
// between two windows of the stream.
func TestScanAcrossWindows(t *testing.T) {
	body := minimal("a", "")
	stamped := manifest.Stamp(body)
	for _, at := range []int{window - len(stamped) - 1, window - len(stamped), window - 31, window - 30, window - 29, window - 15, window - 1, window, window + 1, 2*window - 60, 3 * window} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			got, err := manifest.Scan(t.Context(), file(t, bytes.Repeat([]byte{'#'}, at), stamped))
			require.NoError(t, err)
			assert.Equal(t, string(body), string(got))
		})
	}
}

func TestScanRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge")
	f, err := os.Create(path)
	require.NoError(t, err)
	require.NoError(t, f.Truncate(manifest.MaxFile+1)) // sparse: takes no space
	require.NoError(t, f.Close())
	_, err = manifest.Scan(t.Context(), path)
	assert.ErrorIs(t, err, manifest.ErrTooLarge)
	_, err = manifest.Scan(t.Context(), t.TempDir())
	assert.ErrorIs(t, err, manifest.ErrNotRegular)
	_, err = manifest.Scan(t.Context(), filepath.Join(t.TempDir(), "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = manifest.Scan(ended, file(t, manifest.Stamp(minimal("a", ""))))
	assert.ErrorIs(t, err, context.Canceled)
}

// TestOwnBinaryHoldsNoMarker: this test binary links the parser, as every
// plugin does; a scan of it must find nothing of the parser's own.
func TestOwnBinaryHoldsNoMarker(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	_, err = manifest.Scan(t.Context(), self)
	assert.ErrorIs(t, err, manifest.ErrNoManifest)
}

func BenchmarkScan40MB(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 40<<20)
	for i := range noise {
		noise[i] = byte(random.Uint32() >> 3)
	}
	path := file(b, noise, manifest.Stamp(minimal("a", "")))
	b.SetBytes(int64(len(noise)))
	for b.Loop() {
		if _, err := manifest.Scan(b.Context(), path); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzScan(f *testing.F) {
	a := minimal("a", "")
	f.Add(manifest.Stamp(a), 0)
	f.Add(append(manifest.Stamp(a), manifest.Stamp(minimal("b", ""))...), window-10)
	f.Add(manifest.Comment(a, "# "), 3)
	f.Add(manifest.Comment(a, "// "), window-100)
	f.Add([]byte("#!stephost flavor manifest v1 5 sha256:"+strings.Repeat("0", 64)+"\n"), 1)
	f.Fuzz(func(t *testing.T, data []byte, pad int) {
		path := filepath.Join(t.TempDir(), "f")
		pad = max(0, pad) % (2 * window)
		if err := os.WriteFile(path, append(bytes.Repeat([]byte{'\n'}, pad), data...), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := manifest.Scan(t.Context(), path)
		if err == nil && len(out) > 0 && !bytes.Contains(data, out[:1]) {
			t.Fatal("found what is not there")
		}
		if err == nil && len(out) > manifest.MaxManifest {
			t.Fatal("found more than the limit")
		}
	})
}
