package main

import (
	"context"
	"errors"

	"github.com/stephost/stephost/pluginsdk"
)

// Validate makes the request, without network, and refuses what cannot be.
func (g *sagemaker) Validate(_ context.Context, c Config, s *pluginsdk.Step) error {
	if s == nil {
		return nil
	}
	b, err := build(c, placeOf(s.Scope), s)
	if err != nil {
		return err
	}
	return errors.Join(b.warnings...)
}
