//go:build !linux

package crowd

import "errors"

func resident() (self, children int64, err error) {
	return 0, 0, errors.New("memory is measured on Linux only")
}
