// Package machine turns the resources of a step into the machine type of a
// backend, and compares a type that a person named with what the step asks for.
//
// Each flavor keeps a Table of its vendor's types, with source and date. The
// table ages; so a name that it does not have is a warning and not an error, and
// only shapes (which the manifest checks) fail.
//
// Invariants:
//
//   - nothing is rounded down: a machine that is chosen has at least what was
//     asked for, and a note says what it has more;
//   - what no machine of the table can give is refused, with the nearest that can;
//   - an error about a named type names both sides, each with its attribute, so
//     that a person sees both lines;
//   - a step that asks for no GPU never gets a machine with one by choice.
package machine
