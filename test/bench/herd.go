package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/stephost/stephost/test/bench/internal/lab"
)

// herded is what many processes at once took, with all that they started.
type herded struct {
	WallMS   float64 `json:"wall_ms"`
	UserMS   float64 `json:"user_ms"`
	SystemMS float64 `json:"system_ms"`
	Failed   int     `json:"failed"`
}

// herd runs n processes of c at once.
func (b *bench) herd(ctx context.Context, n int, c lab.Command) (h herded, err error) {
	program, err := b.Build(ctx, "herd")
	if err != nil {
		return h, err
	}
	c.Argv = slices.Concat([]string{program, "-n", strconv.Itoa(n), "--"}, c.Argv)
	c.Read = func(r io.Reader) error { return json.NewDecoder(r).Decode(&h) }
	ran, err := b.Run(ctx, c)
	if err == nil && h.Failed > 0 {
		err = fmt.Errorf("%d of %d processes failed\n%s", h.Failed, n, ran.Stderr)
	}
	return h, err
}
