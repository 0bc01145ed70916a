// Package e2e tests the flavor `modal` with the stephost command line, the
// plugin's real binary and the fake, each a process of its own.
package e2e
