//go:build !linux

package notify

import "errors"

type hub struct{}

// add is not supported here: signals come by the clock.
func (*hub) add(string, chan struct{}) (func(), error) { return nil, errors.ErrUnsupported }
