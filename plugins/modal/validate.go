package main

import (
	"context"
	"errors"

	"github.com/stephost/stephost/pluginsdk"
)

// placeholderKey has the form of a key and is never used for a sandbox.
const placeholderKey = "aaaaaaaaaaaaaaaaaaaaaaaaaa"

// Validate refuses what no launch could send. It asks nobody.
func (f *flavor) Validate(_ context.Context, c Config, s *pluginsdk.Step) error {
	if s == nil {
		return nil
	}
	if s.Key == "" {
		s.Key = placeholderKey
	}
	t, err := unprepared(c, s)
	if err != nil {
		return err
	}
	b, err := f.build(c, s, t)
	if err != nil {
		return err
	}
	return errors.Join(b.warnings...)
}
