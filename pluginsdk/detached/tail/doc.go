// Package tail reads the log of a job, from any offset, while it grows or
// after the end.
//
// Invariants:
//
//   - The cursor of a stream is the offset behind what was delivered: it
//     means the same to every process, at any time.
//   - Bytes are delivered unchanged and cut only behind a newline, at 64 KiB,
//     at the end of the job, or when a part of a line has waited for longer
//     than patience (a progress bar).
//   - Bytes that the runner could not write are a proven gap, at their place.
package tail

import "time"

// Patience is how long a part of a line waits for its end before it is
// delivered: progress bars and prompts write no newline.
const Patience = 250 * time.Millisecond

// Chunk is the most that one entry holds.
const Chunk = 64 << 10

// Entry is a piece of a stream.
type Entry struct {
	// Time is when the runner got the bytes from the step, to 20 ms.
	Time time.Time
	// Data is valid until the next call.
	Data []byte
	// End is the offset behind it.
	End int64
	// Partial: the last line goes on.
	Partial bool
	// Lost bytes stand before Data.
	Lost int64
}
