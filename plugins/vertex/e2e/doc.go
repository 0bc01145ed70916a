// Package e2e tests the flavor `vertex` with the stephost command line, the
// plugin's real binary and the fake, each a process of its own.
package e2e
