package main

import (
	"context"
	"errors"

	"github.com/stephost/stephost/pluginsdk"
)

// Validate refuses what no launch could send. It asks nobody.
func (v *vertex) Validate(_ context.Context, c Config, s *pluginsdk.Step) error {
	if _, err := c.ranges(); err != nil {
		return err
	}
	if s == nil {
		return nil
	}
	if s.Key == "" {
		s.Key = placeholderKey
	}
	b, err := v.build(c, s, false)
	if err != nil {
		return err
	}
	return errors.Join(b.warnings...)
}
