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
		{"hello", "plugin start to first answer, by protection", benchHello},
		{"memory", "many runs in one host process", benchMemory},
		{"store", "spool and store of runs (go test -bench)", benchStore},
	}
}
