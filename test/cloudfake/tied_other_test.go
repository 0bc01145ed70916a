//go:build !linux

package cloudfake_test

func tied() bool { return false }
