package cloudtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
	"github.com/stephost/stephost/test/cloudfake"
)

const (
	// bigOutput is a file of tens of MB; cutAt is in the middle of it.
	bigOutput = 32 << 20
	cutAt     = 20 << 20
	// chunkMost is the contract's limit of the data of one message.
	chunkMost = 1 << 20
)

// leaves leaves a large file, a small one and an empty one, and prints the digest
// of the first.
const leaves = `cd "$STEPHOST_OUTPUT_DIR" && mkdir -p deep/er && head -c 33554432 /dev/urandom > deep/er/big && printf small > 'a b+c%20.txt' && : > empty && sha256sum deep/er/big | cut -d' ' -f1`

// transfer is what one ReadOutput brought.
type transfer struct {
	files []*operatorv1.OutputFile
	data  bytes.Buffer
	done  bool
	ask   *operatorv1.CouldNotAsk
	class operatorv1.Class
}

// readOutput makes one call; r = nil lists.
func (h *Harness) readOutput(key string, handle *operatorv1.Handle, location string, r *operatorv1.ReadOutputRequest_Read) *transfer {
	h.T.Helper()
	q := &operatorv1.ReadOutputRequest{Target: h.Target, Handle: handle, Key: key, Location: location,
		What: &operatorv1.ReadOutputRequest_List_{List: &operatorv1.ReadOutputRequest_List{}}}
	if r != nil {
		q.What = &operatorv1.ReadOutputRequest_Read_{Read: r}
	}
	stream, err := h.Plugin.ReadOutput(h.Ctx(), q)
	require.NoError(h.T, err)
	t := &transfer{}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return t
		}
		require.NoError(h.T, err)
		require.LessOrEqual(h.T, len(m.GetData()), chunkMost)
		if m.GetFile() != nil {
			t.files = append(t.files, m.GetFile())
		}
		t.data.Write(m.GetData())
		t.done = m.GetDone() != nil
		if m.GetCouldNotAsk() != nil {
			t.ask = m.GetCouldNotAsk()
		}
		for _, d := range m.GetDiagnostics() {
			t.class = d.Class
		}
	}
}

// CheckOutputs runs a step that leaves files and reads them: all of them, behind a
// connection that is cut (get is the fake's name for reading an object), and
// those of nobody else. whole is the address of all that the job left.
func (h *Harness) CheckOutputs(get string, whole func(end *operatorv1.Terminal) string) {
	t := h.T
	s := h.Step("outputs", leaves)
	handle := h.Accepted(s)
	end, _ := h.Watch(s.Key, handle)
	require.Equal(t, operatorv1.Phase_PHASE_SUCCEEDED, end.Phase, "%v", end)
	streams, _ := h.Logs(s.Key, handle, nil)
	digest := strings.TrimSpace(Only(t, streams))
	type file struct {
		location string
		*operatorv1.OutputFile
	}
	found := map[string]file{}
	for _, o := range end.Outputs {
		list := h.readOutput(s.Key, handle, o.Location, nil)
		require.True(t, list.done, "%v", list.ask)
		for _, f := range list.files {
			found[path.Join(o.Name, f.Name)] = file{o.Location, f}
		}
	}
	require.Len(t, found, 3, "%v", found)
	read := func(place string, offset int64, version string) *transfer {
		return h.readOutput(s.Key, handle, found[place].location, &operatorv1.ReadOutputRequest_Read{Name: found[place].Name, Offset: offset, Version: version})
	}
	for place, want := range map[string]string{"a b+c%20.txt": "small", "empty": ""} {
		got := read(place, 0, "")
		assert.True(t, got.done, "%s: %v", place, got.ask)
		assert.Equal(t, want, got.data.String())
		require.Len(t, got.files, 1)
		assert.EqualValues(t, len(want), got.files[0].Bytes)
		assert.NotZero(t, got.files[0].ModifiedAt.AsTime().Unix())
	}

	// The connection is cut: could not ask, and it goes on behind what is there.
	const big = "deep/er/big"
	h.Rule(get, 1, cloudfake.Fault{Kind: cloudfake.Cut, Bytes: cutAt})
	first := read(big, 0, "")
	require.NotNil(t, first.ask, "a cut is no end")
	assert.Equal(t, operatorv1.CouldNotAsk_REASON_UNREACHABLE, first.ask.Reason)
	assert.False(t, first.done)
	have := int64(first.data.Len())
	require.Positive(t, have)
	require.Less(t, have, int64(bigOutput))
	version := first.files[0].Version
	require.NotEmpty(t, version)
	rest := read(big, have, version)
	require.True(t, rest.done, "%v", rest.ask)
	assert.Equal(t, have, rest.files[0].Offset)
	assert.EqualValues(t, bigOutput, rest.files[0].Bytes)
	sum := sha256.Sum256(append(first.data.Bytes(), rest.data.Bytes()...))
	assert.Equal(t, digest, hex.EncodeToString(sum[:]))
	other := read(big, have, version+"x")
	require.True(t, other.done, "%v", other.ask)
	assert.Zero(t, other.files[0].Offset, "what the host has is of another version")
	assert.Equal(t, bigOutput, other.data.Len())
	beyond := read("a b+c%20.txt", 1000, found["a b+c%20.txt"].Version)
	assert.Zero(t, beyond.files[0].Offset, "it is shorter than what the host has")

	// The directory as a whole, as it stands for a job that left too many files.
	at := whole(end)
	list := h.readOutput(s.Key, handle, at, nil)
	require.True(t, list.done, "%v", list.ask)
	names := []string{}
	for _, f := range list.files {
		names = append(names, f.Name)
	}
	assert.ElementsMatch(t, []string{"a b+c%20.txt", "empty", big}, names)
	got := h.readOutput(s.Key, handle, at, &operatorv1.ReadOutputRequest_Read{Name: "a b+c%20.txt"})
	assert.Equal(t, "small", got.data.String())

	// Nobody else's, and nothing that is not there.
	foreign := strings.ReplaceAll(at, s.Key, KeyOf("somebody else", 1))
	require.NotEqual(t, at, foreign)
	for what, c := range map[string]struct {
		location, name string
		class          operatorv1.Class
	}{
		"another job":       {foreign, "empty", operatorv1.Class_CLASS_CONFIG},
		"no address":        {"/etc/passwd", "", operatorv1.Class_CLASS_CONFIG},
		"out of it":         {at, "../../evil", operatorv1.Class_CLASS_CONFIG},
		"gone":              {at, "gone", operatorv1.Class_CLASS_LOST},
		"a directory":       {at, "deep", operatorv1.Class_CLASS_LOST},
		"another beginning": {at, "emp", operatorv1.Class_CLASS_LOST},
	} {
		got := h.readOutput(s.Key, handle, c.location, &operatorv1.ReadOutputRequest_Read{Name: c.name})
		assert.Equal(t, c.class, got.class, "%s: %v", what, got.ask)
		assert.False(t, got.done, what)
		assert.Zero(t, got.data.Len(), what)
	}
	assert.Equal(t, operatorv1.Class_CLASS_CONFIG, h.readOutput(s.Key, handle, foreign, nil).class)

	// A login that is over is could not ask.
	h.Rule(get, 1, cloudfake.Fault{Kind: cloudfake.Expired})
	if got := read("empty", 0, ""); assert.NotNil(t, got.ask) {
		assert.False(t, got.done)
	}
}

// CheckNoOutput demands that a file is refused.
func (h *Harness) CheckNoOutput(key string, handle *operatorv1.Handle, location string, class operatorv1.Class) {
	h.T.Helper()
	for _, r := range []*operatorv1.ReadOutputRequest_Read{nil, {}} {
		got := h.readOutput(key, handle, location, r)
		assert.Equal(h.T, class, got.class, "%s: %v", location, got.ask)
		assert.False(h.T, got.done, location)
	}
}

// CheckOutput demands a file, which may not be had the first time.
func (h *Harness) CheckOutput(key string, handle *operatorv1.Handle, location, want string) {
	h.T.Helper()
	got := h.readOutput(key, handle, location, &operatorv1.ReadOutputRequest_Read{})
	require.NotNil(h.T, got.ask, "a refusal of the store is no verdict about the file")
	got = h.readOutput(key, handle, location, &operatorv1.ReadOutputRequest_Read{})
	require.True(h.T, got.done, "%v", got.ask)
	assert.Equal(h.T, want, got.data.String())
}
