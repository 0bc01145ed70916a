package plugintest

// Scripts of steps: POSIX shell, with head, od, seq and tr. No script holds $$,
// which some backends rewrite: whether they do is for run.argv to see.

// begun is the beginning of every script: the step's own witness that it ran.
const begun = `say() { if [ -n "$PT_WITNESS" ]; then echo "$*" >> "$PT_WITNESS"; fi; }
say start "$PT_KEY"
`

// hold waits for the gate, at most 10 minutes; without one it lasts 5 seconds.
const hold = `i=0
most=50
if [ -n "$PT_GATE" ]; then most=6000; fi
while [ "$i" -lt "$most" ]; do
  if [ -n "$PT_GATE" ] && [ -e "$PT_GATE" ]; then break; fi
  sleep 0.1
  i=$((i+1))
done
`

// long lasts ten minutes or until the gate opens, and ticks into the witness.
const long = `i=0
while [ "$i" -lt 12000 ]; do
  if [ -n "$PT_GATE" ] && [ -e "$PT_GATE" ]; then break; fi
  say tick "$i"
  sleep 0.05
  i=$((i+1))
done
`

const (
	scriptTrue     = begun + "exit 0\n"
	scriptFail     = begun + "exit 7\n"
	scriptHold     = begun + hold + "exit 0\n"
	scriptLong     = begun + long + "exit 0\n"
	scriptStubborn = begun + "trap '' TERM INT HUP\n" + long + "exit 0\n"
	// scriptHex tells arguments and variables in hex.
	scriptHex = begun + `hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }
tell() { echo "$*"; say "$@"; }
for a in "$@"; do tell "arg $(hex "$a")"; done
tell "env1 $(hex "$PT_E1")"
tell "env2 $(hex "$PT_E2")"
tell "env3 $(hex "$PT_E3")"
tell "env4 ${PT_E4-unset}"
tell "secret $(hex "$PT_SECRET")"
`
	scriptLines = begun + `i=0
while [ "$i" -lt 300 ]; do
  echo "out $i of $PT_KEY"
  echo "err $i of $PT_KEY" >&2
  i=$((i+1))
done
`
	// scriptOutputs leaves files, one of them of several messages; 9 where it has no
	// place for them.
	scriptOutputs = begun + `if [ -z "$STEPHOST_OUTPUT_DIR" ]; then exit 9; fi
mkdir -p "$STEPHOST_OUTPUT_DIR/deep/er" || exit 9
seq 1 400000 > "$STEPHOST_OUTPUT_DIR/deep/er/numbers"
printf x > "$STEPHOST_OUTPUT_DIR/small"
`
	scriptReady = begun + "echo ready\n" + hold
	// scriptSequence writes about 1 MB.
	scriptSequence = begun + "seq 100000 249999\n"
	// scriptFlood writes about 10 MB.
	scriptFlood = begun + "seq 1 1400000\n"
	// scriptBytes writes a line of 1 MiB, every byte and no newline at the end.
	scriptBytes = begun + `head -c 1048576 /dev/zero | tr '\000' x
echo
i=0
while [ "$i" -lt 256 ]; do
  printf "\\$((i/64))$((i/8%8))$((i%8))"
  i=$((i+1))
done
printf 'no newline here'
`
)
