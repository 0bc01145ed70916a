//go:build linux

package process

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func readStderr(text string) (*stderr, string) {
	log := &logBuffer{}
	s := newStderr(hclog.New(&hclog.LoggerOptions{Output: log, Level: hclog.Trace, DisableTime: true}), nil)
	s.read(strings.NewReader(text))
	return s, log.String()
}

func TestStderrLines(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain":          {"hello\r\n", "[DEBUG] hello\n"},
		"empty":          {"\n\n", ""},
		"no newline":     {"hello", "[DEBUG] hello\n"},
		"prefix":         {"[WARN] careful\n", "[WARN]  [WARN] careful\n"},
		"hclog":          {`{"@level":"error","@message":"no","@timestamp":"t","z":1,"a":"b"}` + "\n", "[ERROR] no: a=b z=1\n"},
		"hclog no level": {`{"@message":"m"}` + "\n", "[INFO]  m\n"},
		"other JSON":     {`{"msg":"m"}` + "\n", "[DEBUG] {\"msg\":\"m\"}\n"},
		"half JSON":      {`{"@message":"m`, "[DEBUG] {\"@message\":\"m\n"},
		"large integer":  {`{"@message":"m","n":9007199254740993}` + "\n", "[INFO]  m: n=9007199254740993\n"},
		"escapes":        {"\x1b[31mred\x00\xff\n", "[DEBUG] ?[31mred??\n"},
		"JSON escapes":   {`{"@message":"\u001b[2J"}` + "\n", "[INFO]  ?[2J\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, log := readStderr(c.in)
			require.Equal(t, c.want, log)
		})
	}
}

func TestStderrTailAndPanics(t *testing.T) {
	var in strings.Builder
	for i := range 100 {
		fmt.Fprintf(&in, "line %d %s\n", i, strings.Repeat("x", 1000))
	}
	in.WriteString("stephost: panic in Plan: one\nstack\nstephost: end of panic\nbetween\n")
	in.WriteString("panic: two\n\ngoroutine 1 [running]:\n" + strings.Repeat("main.deep()\n", 10_000) + "exit status 2\n")
	s, _ := readStderr(in.String())
	fatal, tail := s.account()
	require.True(t, strings.HasPrefix(fatal, "panic: two\ngoroutine 1"))
	require.LessOrEqual(t, len(fatal), panicLimit)
	require.NotContains(t, fatal, "between")
	require.Len(t, tail, tailLines)
	require.Equal(t, "exit status 2", tail[tailLines-1])
	require.Equal(t, "stephost: panic in Plan: one\nstack", s.callPanic())
}

func TestHandshakeLines(t *testing.T) {
	const line = "1|1|unix|/tmp/s|grpc|"
	for name, c := range map[string]struct {
		in, handshake, preface string
		tooMuch                bool
	}{
		"alone":          {line + "\n", line, "", false},
		"after a banner": {"hi\n" + line + "\nmore\n", line, "hi", false},
		"without end":    {line, "", line, false},
		"nothing":        {"", "", "", false},
		"binary":         {"\x00\x7fELF\x01|2|\n", "", "??ELF?|2|", false},
		"endless line":   {strings.Repeat("x", prefaceLimit*2), "", strings.Repeat("x", prefaceKept), true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStdout(hclog.NewNullLogger())
			go s.read(strings.NewReader(c.in))
			got, err := io.ReadAll(s.handshake)
			require.NoError(t, err)
			<-s.done
			require.Equal(t, c.handshake, strings.TrimSuffix(string(got), "\n"))
			preface, _, tooMuch := s.seen()
			require.Equal(t, c.preface, preface)
			require.Equal(t, c.tooMuch, tooMuch)
		})
	}
}

func TestExplainLeavesOrdinaryErrorsAlone(t *testing.T) {
	p := acquire(t, newRig(t), spec())
	for _, err := range []error{
		nil,
		status.Error(codes.Unimplemented, "no such method"),
		status.Error(codes.DeadlineExceeded, "late"),
		status.Error(codes.Internal, "the author's own"),
		context.Canceled,
	} {
		require.Equal(t, err, p.Explain(within(t), err))
	}
	// A broken connection of a plugin that lives: nothing to explain, and no
	// waiting beyond the caller's context.
	err := status.Error(codes.Unavailable, "broken")
	require.Equal(t, err, p.Explain(cancelled(), err))
}

func FuzzStderr(f *testing.F) {
	f.Add([]byte("panic: x\n{\"@message\":1}\n"))
	f.Add([]byte("{\"@level\":{},\"@message\":\"\"}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		s, _ := readStderr(string(in))
		fatal, tail := s.account()
		require.LessOrEqual(t, len(fatal), panicLimit)
		require.LessOrEqual(t, len(tail), tailLines)
	})
}

func FuzzStdout(f *testing.F) {
	f.Add([]byte("1|1|unix|/tmp/s|grpc|\n"))
	f.Add([]byte("\x00||||\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		s := newStdout(hclog.NewNullLogger())
		go s.read(strings.NewReader(string(in)))
		got, err := io.ReadAll(s.handshake)
		require.NoError(t, err)
		require.LessOrEqual(t, len(got), handshakeLine)
		<-s.done
	})
}
