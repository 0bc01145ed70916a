//go:build !unix

package runner

import "github.com/stephost/stephost/pluginsdk/detached/jobdir"

// Wake finds no runner here.
func Wake(jobdir.Job) bool { return false }
