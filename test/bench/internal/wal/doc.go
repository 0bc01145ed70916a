// Package wal counts the commits in SQLite's write-ahead log, from its
// documented format (https://www.sqlite.org/fileformat2.html#walformat).
package wal
