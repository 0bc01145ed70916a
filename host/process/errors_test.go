//go:build linux

package process

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stephost/stephost/host/problem"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestErrorTexts holds every error against testdata/errors.txt: the line of
// Error, and what a person is shown.
func TestErrorTexts(t *testing.T) {
	broken := status.Error(codes.Unavailable, "error reading from server: EOF")
	var got strings.Builder
	for _, err := range []error{
		&CrashError{Flavor: "gpu", Exit: Exit{Code: 2}, Panic: "panic: boom\n\ngoroutine 1 [running]:\nmain.main()", Err: broken},
		&CrashError{Flavor: "gpu", Exit: Exit{Code: -1, Signal: "SIGKILL"}, Stderr: []string{"a", "out of memory"}},
		&CrashError{Flavor: "gpu", Exit: Exit{}},
		&StartError{Flavor: "gpu", Stage: StageExec, Err: errors.New("/x: exec format error")},
		&StartError{Flavor: "gpu", Stage: StageHandshake, Exit: &Exit{Code: 1}, Output: "usage: x", Stderr: []string{"no such option"}},
		&StartError{Flavor: "gpu", Stage: StageContact, Err: errors.New("no answer within 30s"), Next: "wait"},
		&MismatchError{Flavor: "gpu", What: "manifest digest", Want: "sha256:aa"},
		&MismatchError{Flavor: "gpu", What: "protocol", Want: "1", Got: "2"},
		&CallError{Flavor: "gpu", Summary: "the plugin's code failed", Detail: "stack", Next: "report it", Err: broken},
	} {
		var p *problem.Error
		require.ErrorAs(t, fmt.Errorf("wrapped: %w", err), &p)
		fmt.Fprintf(&got, "%T\n  line:    %s\n  summary: %s\n  detail:  %s\n  next:    %s\n\n",
			err, err, p.Summary, strings.ReplaceAll(p.Detail, "\n", "\n           "), p.Next)
		require.NotContains(t, err.Error(), "\n")
		require.Equal(t, "gpu", p.Flavor)
	}
	file := filepath.Join("testdata", "errors.txt")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got.String())
}

func TestErrorTextsAreBounded(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for _, err := range []error{
		&CrashError{Flavor: "gpu", Panic: long, Stderr: []string{long}},
		&StartError{Flavor: "gpu", Err: errors.New(long), Stderr: []string{long}},
		&MismatchError{Flavor: "gpu", Got: long},
		&CallError{Flavor: "gpu", Summary: long},
	} {
		require.LessOrEqual(t, len(err.Error()), problem.Limit)
	}
}

// Which error gRPC makes of a connection that breaks is chance; what it means is not.
func TestCodeOfACrash(t *testing.T) {
	for _, code := range []codes.Code{codes.Canceled, codes.Internal, codes.Unavailable} {
		err := fmt.Errorf("planning: %w", &CrashError{Flavor: "f", Err: status.Error(code, "x")})
		require.Equal(t, codes.Unavailable, status.Code(err))
	}
}
