package pluginsdk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func stamp(body []byte) []byte {
	sum := sha256.Sum256(body)
	return append(fmt.Appendf(nil, "%s%d sha256:%s\n", headerPrefix(), len(body), hex.EncodeToString(sum[:])), body...)
}

func TestReadManifest(t *testing.T) {
	body := benchManifest("cancel", "find")
	plain, err := readManifest(body)
	require.NoError(t, err)
	assert.Equal(t, "bench", plain.name)
	assert.Equal(t, "1.2.3", plain.version)
	assert.Equal(t, []int32{1}, plain.protocol)
	assert.Equal(t, []string{"cancel", "find"}, plain.capabilities)
	assert.Equal(t, "key", plain.idempotency)
	assert.Equal(t, []string{"url"}, plain.config)
	stamped, err := readManifest(stamp(body))
	require.NoError(t, err)
	assert.Equal(t, plain.digest, stamped.digest, "the header line does not count")
}

func TestReadManifestErrors(t *testing.T) {
	body := benchManifest("cancel")
	tests := map[string]struct {
		data []byte
		want string
	}{
		"empty":           {nil, "needs"},
		"garbage":         {[]byte{0, 1, 2}, "cannot be read"},
		"no version":      {[]byte(`flavor "x" {}`), "needs"},
		"two flavors":     {append(bytes.Clone(body), body...), "more than one"},
		"bad type":        {[]byte("flavor \"x\" {\n version = []\n}"), "version"},
		"expression":      {[]byte("flavor \"x\" {\n version = var.x\n}"), "version"},
		"changed":         {append(stamp(body), '\n'), "changed after it was stamped"},
		"too large":       {make([]byte, maxManifest+1), "more than"},
		"null capability": {[]byte("flavor \"x\" {\n version=\"1\"\n protocol=[null]\n}"), "needs"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := readManifest(tc.data)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestCodeAndManifestMustAgree(t *testing.T) {
	type pointer struct {
		URL  string `stephost:"url"`
		More int    `stephost:"more"`
	}
	tests := map[string]struct {
		manifest []byte
		impl     Implementation
		want     string
	}{
		"declared, not implemented": {benchManifest("find"), RemoteOf[benchConfig](&bench{}), "does not implement pluginsdk.Finder"},
		"implemented, not declared": {benchManifest("cancel"), RemoteOf[benchConfig](newFull()), `"find" is missing`},
		"unknown capability":        {benchManifest("fly"), RemoteOf[benchConfig](&bench{}), `"fly" is no capability`},
		"attribute without field":   {testManifest(nil, "url", "queue"), RemoteOf[benchConfig](&bench{}), `"queue"`},
		"field without attribute":   {benchManifest(), RemoteOf[pointer](nil), `"more"`},
		"config is no struct":       {benchManifest(), RemoteOf[string](nil), "must be a struct"},
		"launcher cannot plan":      {testManifest([]string{"plan"}), Launch(LauncherFunc(nil)), `"plan"`},
		"search needs a Finder":     {bytes.Replace(benchManifest(), []byte(`"key"`), []byte(`"search"`), 1), RemoteOf[benchConfig](&bench{}), "needs pluginsdk.Finder"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := NewServer(tc.manifest, tc.impl)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestCommands(t *testing.T) {
	manifest := benchManifest("cancel")
	tests := map[string]struct {
		args           []string
		code           int
		done           bool
		stdout, stderr string
	}{
		"serve":    {args: []string{"p"}},
		"version":  {args: []string{"p", "version"}, done: true, stdout: "bench 1.2.3 (stephost flavor, protocol [1]"},
		"manifest": {args: []string{"p", "manifest"}, done: true, stdout: string(manifest)},
		"unknown":  {args: []string{"p", "run"}, done: true, code: exitMisuse, stderr: "stephost flavor register p"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			code, done := command(tc.args, manifest, &stdout, &stderr)
			assert.Equal(t, tc.code, code)
			assert.Equal(t, tc.done, done)
			assert.Contains(t, stdout.String(), tc.stdout)
			assert.Contains(t, stderr.String(), tc.stderr)
		})
	}
}
