//go:build !unix

package serve

import (
	"errors"
	"os"
)

func inherited(int) (*os.File, error) {
	return nil, errors.New("this platform has no inherited descriptors")
}
