// Package lines makes the lines of the log benchmark and checks that they
// arrive: all, complete, and in order.
package lines
