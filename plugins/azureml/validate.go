package main

import (
	"context"
	"errors"

	"github.com/stephost/stephost/pluginsdk"
)

// Validate refuses what no launch could send. It asks nobody.
func (g *azureml) Validate(_ context.Context, c Config, s *pluginsdk.Step) error {
	if s == nil {
		return nil
	}
	b, err := build(c, s, prepared{})
	if err != nil {
		return err
	}
	return errors.Join(b.warnings...)
}
