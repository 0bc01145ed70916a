// Package runner keeps one step alive as a process of this machine, apart from plugin
// and host: it is the same binary in a session of its own, which starts the
// step, moves its output to files, ends it when asked to, and writes down how
// it ended.
//
// Invariants:
//
//   - One step per key. A runner works only while it holds the job's lock, and
//     starts the step only if it itself made `started`. So any number of
//     runners may be started at any time, by anyone.
//   - The crash case of Submit: plugin or runner may die between any two
//     lines. Before `started` nothing has run and the next runner begins anew;
//     behind it no runner ever starts the step again.
//   - The crash case of the runner: the step goes on. Its output goes into a
//     named pipe that it holds open itself, so that it is neither ended by a
//     broken pipe nor loses a byte; it waits when the pipe is full (64 KiB),
//     until the next runner adopts it. Whoever watches starts that one. Only
//     the exit code is lost then.
//   - The pipe is moved into the file inside the kernel (splice), so a killed
//     runner has no byte in its own memory. Files alone (the step writing to
//     them directly) would lose more: opening /dev/stderr empties a file, and
//     scripts do that every day.
//   - A spare runner (NewSpare) has no job yet and holds nothing. From the moment
//     in which it is told one, all of the above holds for it.
//   - A verdict is written when no process of the step is left, and once.
//   - Secrets reach the runner over a pipe and the step in its environment;
//     they are never in an argument or a file.
package runner
