package main

import "context"

// row is one subject of the table.
type row struct {
	name, about string
	run         func(ctx context.Context, b *bench) error
}

// rows are all rows, in the order in which they run.
func rows() []row {
	return []row{
		{"cli", "commands that start nothing, beside a bare Go process", benchCLI},
		{"hello", "plugin start to first answer, by protection", benchHello},
		{"launch", "stephost launch -- true on the local flavor, with its parts", benchLaunch},
		{"logs", "a million lines of 200 bytes through a launch, beside a pipe", benchLogs},
		{"memory", "many runs in one host process", benchMemory},
		{"many", "100 runs: one host process, and 100 processes at once", benchMany},
		{"python", "a flavor in Python beside its twin in Go: start, call, log", benchPython},
		{"pycall", "a decorated Python function, and a step of ZenML's, beside a launch", benchPyCall},
		{"plugins", "size and start of every shipped plugin, beside its budget", benchPlugins},
		{"clouds", "questions about 500 runs on each cloud, beside one for each run", benchClouds},
		{"kubernetes", "launch on a real cluster, beside kubectl", benchKubernetes},
		{"spark", "an application on a local master, beside a bare spark-submit", benchSpark},
		{"image", "build and push of an image, beside docker and buildah", benchImage},
		{"store", "spool and store of runs (go test -bench)", benchStore},
	}
}
