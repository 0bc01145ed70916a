package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stephost/stephost/test/bench/internal/report"
	"github.com/stephost/stephost/test/bench/internal/stats"
)

func TestInits(t *testing.T) {
	costs, sum := inits("init internal/bytealg @0.008 ms, 0.5 ms clock, 0 bytes, 0 allocs\nnoise\n" +
		"init runtime @0.059 ms, 1.25 ms clock, 0 bytes, 0 allocs\n")
	assert.Equal(t, []initCost{{"runtime", 1.25}, {"internal/bytealg", 0.5}}, costs)
	assert.InDelta(t, 1.75, sum, 1e-9)
}

func TestGoBench(t *testing.T) {
	lines, err := goBench([]byte(`goos: linux
BenchmarkUpdate/Durable-2         	     200	   1500000 ns/op
BenchmarkUpdate/Durable-2         	     200	   2500000 ns/op
BenchmarkAppend/1_line_an_entry-2 	 1000000	      1000 ns/op	 200.00 MB/s	         1.5 Mlines/s	      64 B/op
PASS
`))
	require.NoError(t, err)
	assert.Equal(t, []report.Line{
		{What: "Update/Durable", Sample: stats.Sample{1.5, 2.5}, Unit: "ms"},
		{What: "Append/1 line an entry", Sample: stats.Sample{1.5}, Unit: "M lines/s"},
	}, lines)
	_, err = goBench([]byte("PASS\n"))
	require.Error(t, err)
}

func TestChoose(t *testing.T) {
	all, err := choose("")
	require.NoError(t, err)
	assert.Len(t, all, len(rows()))
	some, err := choose("memory, hello")
	require.NoError(t, err)
	assert.Equal(t, "memory", some[0].name)
	assert.Equal(t, "hello", some[1].name)
	_, err = choose("nonsense")
	require.ErrorContains(t, err, "hello")
}
