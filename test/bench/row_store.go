package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"github.com/stephost/stephost/test/bench/internal/report"
)

// storeRounds is how often each Go benchmark is repeated.
const storeRounds = 5

// benchStore runs the Go benchmarks of the store of runs and of the spool.
func benchStore(ctx context.Context, b *bench) error {
	for _, s := range []struct{ pkg, pattern string }{
		{"./host/runs", "^(BenchmarkOpen|BenchmarkCreateClaimed|BenchmarkUpdate|BenchmarkLife)$"},
		{"./host/runs/spool", "^(BenchmarkAppend|BenchmarkRawWrite|BenchmarkRead)$"},
	} {
		dir, err := b.TempDir("g")
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", s.pattern, "-benchtime", "0.2s",
			"-count", strconv.Itoa(storeRounds), s.pkg)
		cmd.Dir, cmd.Env = b.Root, append(cmd.Environ(), "TMPDIR="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("go test -bench %s: %w\n%s", s.pkg, err, out)
		}
		lines, err := goBench(out)
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", s.pkg, err, out)
		}
		for _, l := range lines {
			l.What = strings.TrimPrefix(s.pkg, "./host/") + ": " + l.What
			b.Add(l)
		}
	}
	return nil
}

// goBench reads the output of `go test -bench`: for each benchmark its rate of
// lines where it tells one, else its time.
func goBench(out []byte) ([]report.Line, error) {
	var lines []report.Line
	index := map[string]int{}
	scan := bufio.NewScanner(bytes.NewReader(out))
	for scan.Scan() {
		f := strings.Fields(scan.Text())
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		value, unit, err := figure(f[2:])
		if err != nil {
			return nil, fmt.Errorf("%q: %w", scan.Text(), err)
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if i := strings.LastIndex(name, "-"); i > 0 { // the number of CPUs
			name = name[:i]
		}
		name = strings.ReplaceAll(name, "_", " ")
		i, ok := index[name]
		if !ok {
			i = len(lines)
			index[name] = i
			lines = append(lines, report.Line{What: name, Unit: unit})
		}
		lines[i].Sample = append(lines[i].Sample, value)
	}
	if len(lines) == 0 {
		return nil, errors.New("no benchmark ran")
	}
	return lines, scan.Err()
}

// figure chooses among the "value unit" pairs of one result.
func figure(fields []string) (float64, string, error) {
	values := map[string]float64{}
	for i := 0; i+1 < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return 0, "", err
		}
		values[fields[i+1]] = v
	}
	if v, ok := values["Mlines/s"]; ok {
		return v, "M lines/s", nil
	}
	if v, ok := values["ns/op"]; ok {
		return v / 1e6, "ms", nil
	}
	return 0, "", fmt.Errorf("no known unit in %q", fields)
}
