package pluginsdk

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	operatorv1 "github.com/stephost/stephost/proto/stephost/operator/v1"
)

// reader is a flavor with outputs that a test chooses.
type reader struct {
	bench
	files []OutputFile
	open  func(r OutputRead) (OutputFile, io.ReadCloser, error)
}

func (b *reader) OutputFiles(context.Context, benchConfig, Handle, string) ([]OutputFile, error) {
	return b.files, nil
}

func (b *reader) OpenOutput(_ context.Context, _ benchConfig, _ Handle, r OutputRead) (OutputFile, io.ReadCloser, error) {
	return b.open(r)
}

// object opens content as an object store does.
func object(content, version string) func(r OutputRead) (OutputFile, io.ReadCloser, error) {
	return func(r OutputRead) (OutputFile, io.ReadCloser, error) {
		if r.Offset > 0 && r.Offset >= int64(len(content)) {
			return OutputFile{}, nil, ErrOutputRange
		}
		return OutputFile{Bytes: int64(len(content)), Version: version}, io.NopCloser(strings.NewReader(content[r.Offset:])), nil
	}
}

// got is what a ReadOutput brought.
type got struct {
	files []*operatorv1.OutputFile
	data  bytes.Buffer
	done  bool
	ask   *operatorv1.CouldNotAsk
	diags []*operatorv1.Diagnostic
}

func readAll(t *testing.T, c operatorv1.StepOperatorClient, r *operatorv1.ReadOutputRequest) *got {
	t.Helper()
	r.Target, r.Key, r.Handle = testTarget(""), testKey, &operatorv1.Handle{Version: 1, Data: []byte("h")}
	stream, err := c.ReadOutput(testContext(t), r)
	require.NoError(t, err)
	g := &got{}
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return g
		}
		require.NoError(t, err)
		assert.LessOrEqual(t, len(m.GetData()), 1<<20)
		require.False(t, g.done, "nothing follows done")
		if f := m.GetFile(); f != nil {
			g.files = append(g.files, f)
		}
		g.data.Write(m.GetData())
		g.done = m.GetDone() != nil
		if a := m.GetCouldNotAsk(); a != nil {
			g.ask = a
		}
		g.diags = append(g.diags, m.GetDiagnostics()...)
	}
}

func read(name string, offset int64, version string) *operatorv1.ReadOutputRequest {
	return &operatorv1.ReadOutputRequest{Location: "store://x", What: &operatorv1.ReadOutputRequest_Read_{
		Read: &operatorv1.ReadOutputRequest_Read{Name: name, Offset: offset, Version: version}}}
}

func TestReadOutput(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 200<<10)
	for name, c := range map[string]struct {
		open    func(r OutputRead) (OutputFile, io.ReadCloser, error)
		request *operatorv1.ReadOutputRequest
		data    string
		from    int64
		done    bool
		ask     string
		class   operatorv1.Class
	}{
		"whole":                 {open: object(big, "v1"), request: read("a/b", 0, ""), data: big, done: true},
		"empty":                 {open: object("", "v1"), request: read("", 0, ""), done: true},
		"goes on":               {open: object("0123456789", "v1"), request: read("a", 4, "v1"), data: "456789", from: 4, done: true},
		"another version":       {open: object("0123456789", "v2"), request: read("a", 4, "v1"), data: "0123456789", done: true},
		"it has become shorter": {open: object("0123", "v1"), request: read("a", 7, "v1"), data: "0123", done: true},
		"out of the location":   {open: object("x", "v"), request: read("../x", 0, ""), class: operatorv1.Class_CLASS_CONFIG},
		"absolute":              {open: object("x", "v"), request: read("/etc/passwd", 0, ""), class: operatorv1.Class_CLASS_CONFIG},
		"negative":              {open: object("x", "v"), request: read("a", -1, ""), class: operatorv1.Class_CLASS_CONFIG},
		"neither list nor read": {open: object("x", "v"), request: &operatorv1.ReadOutputRequest{}, class: operatorv1.Class_CLASS_CONFIG},
		"gone":                  {open: func(OutputRead) (OutputFile, io.ReadCloser, error) { return OutputFile{}, nil, ErrNoOutput }, request: read("a", 0, ""), class: operatorv1.Class_CLASS_LOST},
		"nothing to read":       {open: func(OutputRead) (OutputFile, io.ReadCloser, error) { return OutputFile{}, nil, nil }, request: read("a", 0, ""), class: operatorv1.Class_CLASS_SYSTEM},
		"panic":                 {open: func(OutputRead) (OutputFile, io.ReadCloser, error) { panic("oops") }, request: read("a", 0, ""), class: operatorv1.Class_CLASS_SYSTEM},
		"could not ask": {open: func(OutputRead) (OutputFile, io.ReadCloser, error) {
			return OutputFile{}, nil, Throttled(errors.New("slow"), 0)
		}, request: read("a", 0, ""), ask: "slow"},
		"ends early":             {open: short(10), request: read("a", 0, ""), data: "abc", ask: "after 3 of 10 bytes"},
		"grew":                   {open: short(2), request: read("a", 0, ""), ask: "grew"},
		"unknown size":           {open: short(-1), request: read("a", 0, ""), data: "abc", done: true},
		"breaks, unknown size":   {open: broken(io.ErrUnexpectedEOF), request: read("a", 0, ""), data: "abc", ask: "unexpected EOF"},
		"breaks, login is over":  {open: broken(Auth(errors.New("expired"))), request: read("a", 0, ""), data: "abc", ask: "expired"},
		"the author's own error": {open: broken(Config("", "no")), request: read("a", 0, ""), data: "abc", class: operatorv1.Class_CLASS_CONFIG},
	} {
		t.Run(name, func(t *testing.T) {
			client := serveTest(t, benchManifest(capReadOutput), RemoteOf[benchConfig](&reader{open: c.open}))
			g := readAll(t, client, c.request)
			assert.Equal(t, c.data, g.data.String())
			assert.Equal(t, c.done, g.done)
			assert.Contains(t, g.ask.GetDiagnostic().GetSummary(), c.ask)
			assert.Equal(t, c.ask != "", g.ask != nil)
			if c.class != 0 {
				require.Len(t, g.diags, 1)
				assert.Equal(t, c.class, g.diags[0].Class, "%v", g.diags)
			} else {
				assert.Empty(t, g.diags)
			}
			if c.done {
				require.Len(t, g.files, 1)
				assert.Equal(t, c.from, g.files[0].Offset)
			}
		})
	}
}

// short has three bytes, and tells another size.
func short(size int64) func(r OutputRead) (OutputFile, io.ReadCloser, error) {
	return func(OutputRead) (OutputFile, io.ReadCloser, error) {
		return OutputFile{Bytes: size}, io.NopCloser(strings.NewReader("abc")), nil
	}
}

// broken ends with err behind three bytes.
func broken(err error) func(r OutputRead) (OutputFile, io.ReadCloser, error) {
	return func(OutputRead) (OutputFile, io.ReadCloser, error) {
		return OutputFile{Bytes: -1}, io.NopCloser(io.MultiReader(strings.NewReader("abc"), failing{err})), nil
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestListOutput(t *testing.T) {
	list := &operatorv1.ReadOutputRequest{Location: "store://x", What: &operatorv1.ReadOutputRequest_List_{List: &operatorv1.ReadOutputRequest_List{}}}
	r := &reader{files: []OutputFile{{Name: "a", Bytes: 3}, {Name: "b/c", Bytes: -1, Version: "v"}}}
	client := serveTest(t, benchManifest(capReadOutput), RemoteOf[benchConfig](r))
	g := readAll(t, client, list)
	require.Len(t, g.files, 2)
	assert.Equal(t, "b/c", g.files[1].Name)
	assert.True(t, g.done)

	r.files = nil
	g = readAll(t, client, list)
	assert.False(t, g.done)
	require.Len(t, g.diags, 1)
	assert.Equal(t, operatorv1.Class_CLASS_LOST, g.diags[0].Class)
}

// A reader that blocks is closed when nobody wants its bytes any more.
func TestReadOutputIsLeft(t *testing.T) {
	out, in := io.Pipe()
	client := serveTest(t, benchManifest(capReadOutput), RemoteOf[benchConfig](&reader{open: func(OutputRead) (OutputFile, io.ReadCloser, error) {
		return OutputFile{Bytes: -1}, out, nil
	}}))
	ctx, cancel := context.WithCancel(testContext(t))
	q := read("a", 0, "")
	q.Target, q.Key, q.Handle = testTarget(""), testKey, &operatorv1.Handle{Version: 1, Data: []byte("h")}
	stream, err := client.ReadOutput(ctx, q)
	require.NoError(t, err)
	m, err := stream.Recv()
	require.NoError(t, err)
	require.NotNil(t, m.GetFile())
	cancel()
	// What comes before the server hears of the end is still taken; then the other
	// side is closed.
	for err == nil {
		_, err = in.Write([]byte("x"))
	}
	assert.ErrorIs(t, err, io.ErrClosedPipe)
}

func TestOutputsOfATerminal(t *testing.T) {
	many := make([]Output, maxOutputTexts>>10+1)
	for i := range many {
		many[i] = Output{Name: "n", Location: "/" + strings.Repeat("x", 1<<10), Bytes: -1}
	}
	for name, tc := range map[string]struct {
		status  Status
		outputs int
		message string
	}{
		"fine":               {Status{Message: "m", Outputs: []Output{{Name: "é\n", Location: "/é\n"}}}, 1, "m"},
		"a name":             {Status{Outputs: []Output{{Name: odd, Location: "/x"}, {Name: "b", Location: "/b"}}}, 1, `1 output is not listed, since its name is no UTF-8 text: "bad\xff" at "/x"`},
		"a place":            {Status{Message: "m", Outputs: []Output{{Name: "a", Location: "/" + odd}, {Name: odd, Location: odd}}}, 0, `m; 2 outputs are not listed, since their names are no UTF-8 text: "a" at "/bad\xff", ...`},
		"too many":           {Status{Outputs: many}, len(many) - 3, "3 outputs are not listed, since the list would be longer than 1 MiB"},
		"the message is cut": {Status{Message: strings.Repeat("m", 2*maxMessage), Outputs: []Output{{Name: odd}}}, 0, `mmm...; 1 output is not listed, since its name is no UTF-8 text: "bad\xff" at ""`},
	} {
		t.Run(name, func(t *testing.T) {
			tc.status.Phase = Succeeded
			end := terminalOf(tc.status)
			assert.Len(t, end.GetOutputs(), tc.outputs)
			assert.True(t, strings.HasSuffix(end.GetMessage(), tc.message), end.GetMessage())
			assert.LessOrEqual(t, len(end.GetMessage()), maxMessage)
		})
	}
}
