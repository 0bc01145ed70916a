package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

const (
	headerSize      = 32
	frameHeaderSize = 24
	magicMask       = 0xfffffffe // the last bit chooses the checksums' byte order
	magic           = 0x377f0682
)

// Count of what a log holds.
type Count struct {
	// Commits are transactions, Frames the pages that they wrote.
	Commits, Frames int
	// Bytes were written for them, with the frames' headers.
	Bytes int64
}

// Minus is what came after before; the log must not have been reset between.
func (c Count) Minus(before Count) Count {
	return Count{Commits: c.Commits - before.Commits, Frames: c.Frames - before.Frames, Bytes: c.Bytes - before.Bytes}
}

// Read counts the frames of the log's current generation; older ones behind
// them, left from before a reset, are not counted. A missing or empty log counts
// as nothing.
func Read(path string) (Count, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || (err == nil && len(data) < headerSize) {
		return Count{}, nil
	}
	if err != nil {
		return Count{}, err
	}
	if m := binary.BigEndian.Uint32(data); m&magicMask != magic {
		return Count{}, fmt.Errorf("%s is no write-ahead log", path)
	}
	page := int(binary.BigEndian.Uint32(data[8:]))
	if page < 512 || page > 1<<16 {
		return Count{}, fmt.Errorf("%s has pages of %d bytes", path, page)
	}
	salt := string(data[16:24])
	var c Count
	for rest := data[headerSize:]; len(rest) >= frameHeaderSize+page; rest = rest[frameHeaderSize+page:] {
		if string(rest[8:16]) != salt {
			break
		}
		c.Frames++
		if binary.BigEndian.Uint32(rest[4:]) != 0 { // the database's size, set in the last frame of a commit
			c.Commits++
		}
	}
	c.Bytes = int64(c.Frames * (frameHeaderSize + page))
	return c, nil
}
