//go:build !unix

package proc

// Boot is not known here.
func Boot() string { return "" }

// Namespace is not known here.
func Namespace() string { return "" }

// Members knows nothing here.
func Members(Target) []int { return nil }
