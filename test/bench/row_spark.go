package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/stephost/stephost/test/bench/internal/lab"
	"github.com/stephost/stephost/test/bench/internal/report"
	"github.com/stephost/stephost/test/bench/internal/stats"
	"github.com/stephost/stephost/test/spark"
)

const (
	// sparkPairs is how many pairs the goal asks for; one takes some seconds.
	sparkPairs = 20
	// The goal: at most the larger of the two, in the median.
	sparkGoalMS    = 300
	sparkGoalShare = 0.03
)

// sparkApplication is a small one that computes in two stages.
const sparkApplication = `from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
print(spark.range(1000000).selectExpr("id % 10 AS k").groupBy("k").count().count())
spark.stop()
`

// benchSpark is a step on a local master beside a bare spark-submit of the same
// application, with the same properties and environment.
func benchSpark(ctx context.Context, b *bench) error {
	install, err := spark.Make(ctx, b.Root)
	if err != nil {
		return err
	}
	place, err := b.Place()
	if err != nil {
		return err
	}
	env := append(slices.Clone(place.Env), install.Environ()...)
	env = append(env, "HOME="+place.Dir)
	for _, argv := range [][]string{
		{b.Stephost, "flavor", "register", filepath.Join(b.Root, "bin", "plugins", "stephost-flavor-spark")},
		{b.Stephost, "operator", "register", "sp", "--flavor=spark", "--master=local[2]", "--spark-home=" + install.Home, "--set", "submit_kwargs=" + sparkKwargs()},
	} {
		if _, err := b.Run(ctx, lab.Command{Argv: argv, Env: env, Dir: place.Dir}); err != nil {
			return fmt.Errorf("%w (run `make build` first)", err)
		}
	}
	source := filepath.Join(place.Dir, "src")
	if err := os.Mkdir(source, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(source, "app.py"), []byte(sparkApplication), 0o600); err != nil {
		return err
	}
	bare := []string{filepath.Join(install.Home, "bin", "spark-submit"), "--master", "local[2]"}
	for _, name := range slices.Sorted(maps.Keys(spark.Properties())) {
		bare = append(bare, "--conf", name+"="+spark.Properties()[name])
	}
	bare = append(bare, "app.py")
	commands := []lab.Command{
		{Argv: bare, Env: env, Dir: source},
		{Argv: []string{b.Stephost, "launch", "--operator", "sp", "--source", source, "--", "python", "app.py"}, Env: env, Dir: place.Dir},
	}
	wall := make([]stats.Sample, len(commands))
	defer func() { b.sparkReport(wall[0], wall[1]) }() // also what an interrupted run has
	for n := range min(b.n, sparkPairs) + 1 {
		for i, c := range commands {
			ran, err := b.Run(ctx, c)
			if err != nil {
				return err
			}
			if n > 0 { // the first pair fills caches
				wall[i] = append(wall[i], lab.Milliseconds(ran.Wall))
			}
		}
	}
	return nil
}

// sparkReport compares the pairs that are whole.
func (b *bench) sparkReport(bare, step stats.Sample) {
	bare = bare[:len(step)]
	if len(step) == 0 {
		return
	}
	more := stats.Differences(step, bare)
	allowed := max(sparkGoalMS, sparkGoalShare*bare.Median())
	b.addMS("bare spark-submit on local[2]", bare)
	b.addMS("the same application as a step", step)
	b.Add(report.Line{What: "a step beyond spark-submit", Sample: more, Unit: "ms", Goal: fmt.Sprintf("<= %.0f ms", allowed), Holds: more.Median() <= allowed})
	b.Note("%d interleaved pairs; the goal is 3 %% of spark-submit or %d ms, whichever is larger, in the median.", len(more), sparkGoalMS)
}

// sparkKwargs are the properties as stephost takes them.
func sparkKwargs() string {
	text := "{"
	for _, name := range slices.Sorted(maps.Keys(spark.Properties())) {
		text += fmt.Sprintf("%q=%q,", name, spark.Properties()[name])
	}
	return text + "}"
}
