package diag

// Limits on what is parsed.
const (
	// MaxSource is the size of one source in bytes. The biggest project file
	// seen in practice is some 10 KiB.
	MaxSource = 4 << 20
	// MaxNesting is how deep brackets, templates and blocks may nest.
	MaxNesting = 100
	// MaxOperators is the number of operators in one expression: each can be a
	// level of recursion.
	MaxOperators = 500
	// MaxWork is what one expression may look at and make: bytes of text, and elementWork
	// for each element, which takes as much memory, and a round of a loop about a
	// microsecond. Nothing that configures a job comes near it.
	MaxWork     = 32 << 20
	elementWork = 64
	// MaxTexts is how many lines, or signs of a template, one text may have: HCL's
	// parser copies what it has for each.
	MaxTexts = 5000
	// MaxNumber is the number of bytes in a number literal, and MaxExponent
	// its greatest exponent: 1e999999999 is short to write and a gigabyte long
	// as text.
	MaxNumber   = 1000
	MaxExponent = 1000
	// MaxShown is how many diagnostics are shown; the rest is counted.
	MaxShown = 50
)
