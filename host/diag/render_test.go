package diag_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/host/diag"
)

func text(t *testing.T, s *diag.Sources, diags hcl.Diagnostics, o diag.TextOptions) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, s.WriteText(&b, diags, o))
	return b.String()
}

func at(file string, src string, part string) *hcl.Range {
	i := strings.Index(src, part)
	line := 1 + strings.Count(src[:i], "\n")
	col := i - strings.LastIndexByte(src[:i], '\n')
	return &hcl.Range{Filename: file, Start: hcl.Pos{Line: line, Column: col, Byte: i},
		End: hcl.Pos{Line: line, Column: col + len(part), Byte: i + len(part)}}
}

func TestSecretShowsTheNameOnly(t *testing.T) {
	src := "operator \"x\" {\n  config {\n    password = \"hunter2\"\n  }\n}\n"
	var s diag.Sources
	_, diags := s.Parse("a.hcl", []byte(src))
	require.Empty(t, diags)
	d := hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "no", Subject: at("a.hcl", src, "password"), Extra: diag.Secret{}}}
	out := text(t, &s, d, diag.TextOptions{})
	assert.Equal(t, "Error: no\n  on a.hcl line 3:\n   3:     password ...\n          ^^^^^^^^\n", out)
	assert.NotContains(t, fmt.Sprint(s.JSON(d)), "hunter2")
}

func TestFlagsAreSources(t *testing.T) {
	var s diag.Sources
	_, diags := s.ParseExpression("--tolerations", []byte("[{key=}]"))
	require.True(t, diags.HasErrors())
	out := text(t, &s, diags, diag.TextOptions{})
	assert.Contains(t, out, "on the command line, --tolerations:\n   1: [{key=}]\n")
}

func TestManyAreCounted(t *testing.T) {
	var s diag.Sources
	var diags hcl.Diagnostics
	for i := range 60 {
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: fmt.Sprint("problem ", i)})
	}
	out := text(t, &s, diags, diag.TextOptions{})
	assert.Contains(t, out, "problem 49")
	assert.NotContains(t, out, "problem 50")
	assert.True(t, strings.HasSuffix(out, "... and 10 more.\n"))
	assert.Len(t, s.JSON(diags), 60)
}

func TestOrderIsThatOfTheFile(t *testing.T) {
	var s diag.Sources
	d := func(file string, byte int) *hcl.Diagnostic {
		return &hcl.Diagnostic{Summary: fmt.Sprint(file, byte), Subject: &hcl.Range{Filename: file, Start: hcl.Pos{Byte: byte}}}
	}
	var got []string
	for _, x := range s.Explain(hcl.Diagnostics{d("b", 5), d("a", 9), nil, d("b", 1), d("a", 2)}) {
		got = append(got, x.Summary)
	}
	assert.Equal(t, []string{"b1", "b5", "a2", "a9"}, got)
}

func TestOddPlaces(t *testing.T) {
	long := strings.Repeat("ä", 5000) + "HERE" + strings.Repeat("b", 5000)
	multi := "a = [\n1,\n2,\n3,\n4,\n5,\n]\n"
	for _, tc := range []struct {
		name, src string
		r         *hcl.Range
		want      []string
		most      int
	}{
		{"long line", long, at("f", long, "HERE"), []string{"HERE", "^^^^"}, 800},
		{"long subject", long, &hcl.Range{Filename: "f", Start: hcl.InitialPos, End: hcl.Pos{Byte: len(long)}}, []string{"^"}, 800},
		{"several lines", multi, &hcl.Range{Filename: "f", Start: hcl.Pos{Line: 1, Byte: 4}, End: hcl.Pos{Line: 7, Byte: len(multi) - 1}}, []string{"   1: a = [\n", "   4: 3,\n      ...\n"}, 200},
		{"outside of the source", "a", &hcl.Range{Filename: "f", Start: hcl.Pos{Line: 9, Byte: 70}, End: hcl.Pos{Byte: 80}}, []string{"on f line 9"}, 100},
		{"backwards", "abc", &hcl.Range{Filename: "f", Start: hcl.Pos{Line: 1, Byte: 2}, End: hcl.Pos{Byte: 1}}, nil, 100},
		{"negative", "abc", &hcl.Range{Filename: "f", Start: hcl.Pos{Line: -1, Byte: -2}, End: hcl.Pos{Byte: -1}}, nil, 100},
		{"unknown file", "abc", &hcl.Range{Filename: "g"}, []string{"on g:"}, 100},
		{"the end", "abc", &hcl.Range{Filename: "f", Start: hcl.Pos{Line: 1, Byte: 3}, End: hcl.Pos{Byte: 3}}, []string{"   1: abc\n         ^"}, 100},
		{"tab", "\tx = 1", at("f", "\tx = 1", "x"), []string{"   1: \tx = 1\n      \t^"}, 100},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var s diag.Sources
			s.Add("f", []byte(tc.src))
			out := text(t, &s, hcl.Diagnostics{{Summary: "s", Subject: tc.r}}, diag.TextOptions{})
			for _, w := range tc.want {
				assert.Contains(t, out, w)
			}
			assert.Less(t, len(out), tc.most)
			assert.NotPanics(t, func() { s.JSON(hcl.Diagnostics{{Summary: "s", Subject: tc.r, Extra: diag.Secret{}}}) })
		})
	}
}

func TestColorAndWidth(t *testing.T) {
	var s diag.Sources
	d := hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "old", Detail: strings.Repeat("word ", 20) + "\n  code that is left as it is, however long it may be"}}
	out := text(t, &s, d, diag.TextOptions{Color: true, Width: 30})
	assert.Contains(t, out, "\x1b[1;33mWarning:\x1b[0m")
	assert.Contains(t, out, "\n    code that is left as it is, however long it may be\n")
	for _, line := range strings.Split(out, "\n")[1:4] {
		assert.LessOrEqual(t, len(line), 30)
	}
	d[0].Detail = "\x1b]0;title\x07" + strings.Repeat("x", 1<<20)
	out = text(t, &s, d, diag.TextOptions{})
	assert.NotContains(t, out, "\x1b")
	assert.Less(t, len(out), 10<<10)
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestWriteErrorIsReturned(t *testing.T) {
	var s diag.Sources
	assert.EqualError(t, s.WriteText(brokenWriter{}, hcl.Diagnostics{{Summary: "x"}}, diag.TextOptions{}), "gone")
}

func TestSourcesAreShared(t *testing.T) {
	var s diag.Sources
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			name := fmt.Sprint("f", i%2)
			_, diags := s.Parse(name, []byte("a = "))
			_ = s.JSON(diags)
			_ = s.Bytes(name)
		})
	}
	wg.Wait()
	var none *diag.Sources
	f, diags := none.Parse("x", []byte("a = 1"))
	assert.Empty(t, diags)
	assert.NotNil(t, f.Body)
}
