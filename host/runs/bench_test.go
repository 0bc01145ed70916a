package runs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func BenchmarkOpen(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "runs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	for _, mode := range []string{"alone", "beside another"} {
		b.Run(mode, func(b *testing.B) {
			if mode != "alone" {
				openStore(b, dir, Options{})
			}
			for b.Loop() {
				s, err := Open(b.Context(), dir, Options{})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
		b.Run(mode+" with read and close", func(b *testing.B) {
			if mode != "alone" {
				openStore(b, dir, Options{})
			}
			for b.Loop() {
				s, err := Open(b.Context(), dir, Options{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.List(b.Context(), Filter{Unclosed: true}); err != nil {
					b.Fatal(err)
				}
				if err := s.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCreateClaimed(b *testing.B) {
	s := newStore(b)
	o := newOwner(b, s)
	for b.Loop() {
		if _, _, err := s.CreateClaimed(b.Context(), NewRun{Definition: make([]byte, 1000), Plan: []byte(`{}`)}, o); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUpdate(b *testing.B) {
	for name, d := range map[string]Durability{"Durable": Durable, "Relaxed": Relaxed} {
		b.Run(name, func(b *testing.B) {
			c := claimed(b, newStore(b), NewRun{})
			n := 0
			for b.Loop() {
				n++
				err := c.Update(b.Context(), d, func(r *Run) ([]Event, error) {
					r.StateReason = fmt.Sprint(n)
					return nil, nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLife is all commits of a launch, with events.
func BenchmarkLife(b *testing.B) {
	s := newStore(b)
	o := newOwner(b, s)
	for b.Loop() {
		c, _, err := s.CreateClaimed(b.Context(), NewRun{}, o)
		if err != nil {
			b.Fatal(err)
		}
		if err := to(b, c, Preparing, Prepared, Submitting, Submitted, Ended, Drained, Cleaned, Closed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDeadOwners(b *testing.B) {
	s := newStore(b)
	newOwner(b, s)
	for b.Loop() {
		if _, err := DeadOwners(s.owners); err != nil {
			b.Fatal(err)
		}
	}
}
