// Command producer prints numbered lines of 200 bytes, as a training would,
// with one write per line or through a buffer.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/stephost/stephost/test/bench/internal/lines"
)

func main() {
	n := flag.Int("lines", 1_000_000, "number of lines")
	buffer := flag.Int("buffer", 0, "bytes that are collected before a write; 0: a write for each line")
	flag.Parse()
	if err := run(os.Stdout, *n, *buffer); err != nil {
		fmt.Fprintln(os.Stderr, "producer:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, n, buffer int) error {
	flush := func() error { return nil }
	if buffer > 0 {
		b := bufio.NewWriterSize(w, buffer)
		w, flush = b, b.Flush
	}
	line := lines.New()
	for i := range n {
		if _, err := w.Write(line.Numbered(i)); err != nil {
			return err
		}
	}
	return flush()
}
