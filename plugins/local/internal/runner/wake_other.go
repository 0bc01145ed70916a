//go:build !unix

package runner

import "github.com/stephost/stephost/plugins/local/internal/jobdir"

// Wake finds no runner here.
func Wake(jobdir.Job) bool { return false }
