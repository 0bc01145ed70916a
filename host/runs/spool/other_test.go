//go:build !linux

package spool

import "errors"

func limitedChild([]string) error { return errors.New("needs Linux") }
