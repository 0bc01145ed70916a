//go:build !linux

package registry

// executesDescriptors: there is no fexecve here. The store is private (0700),
// its files are never rewritten in place, and the open descriptor is held until
// the start (on Windows that keeps writers away).
const executesDescriptors = false
