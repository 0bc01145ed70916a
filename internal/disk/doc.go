// Package disk tells how full a file system is, on every platform.
package disk
