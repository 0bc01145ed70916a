// Package gcstart lets the Go processes that stephost starts initialise without a
// garbage collection.
//
// The packages of a vendor's SDK fill the four megabytes of Go's first collection while
// they initialise, and it takes half of their time again: sagemaker's plugin needed 41
// instead of 26 ms to its main function. So whoever starts such a process gives it
// Environ, and the process calls Settle before it starts any other.
package gcstart
