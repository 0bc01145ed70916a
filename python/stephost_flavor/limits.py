"""Limits and pauses, each with its reason. Seconds and bytes."""

# The contract's limits.
MAX_MESSAGE = 16 << 20
MAX_HANDLE = 16 << 10
MAX_PREPARED = 1 << 20
MAX_SUMMARY = 200
MAX_DETAIL = 8 << 10
MAX_TEXT = 1 << 10
MAX_ENTRY = 64 << 10
MAX_SCOPE = 1 << 10

# Every string of an answer that has no smaller limit of its own.
MAX_STRING = 64 << 10
# The names and places of a list of outputs: a terminal event that is too large for a
# message would never arrive.
MAX_OUTPUTS = 1 << 20
# The largest exit code of a process that can be told.
MAX_EXIT_CODE = 255
# How long a step of a Launcher waits at most for the call that shows that the answer
# of submit has arrived. A step that ends its process at once would take the answer
# with it, and nobody could tell that it was ever begun.
LAUNCH_DELAY = 1.0
MAX_MANIFEST = 256 << 10

# A person at a debugger: how long a plugin waits for `launch --attach-plugin`, and
# how often it looks.
ATTACH_WAIT = 3600.0
ATTACH_POLL = 0.1
# Replaces the bounds of the author's code then: he thinks at a breakpoint.
ATTACHED = 4 * 3600.0

# The contract's bound for Submit, and how much longer the SDK waits for code that
# does not keep it, before the answer is UNCERTAIN.
SUBMIT = 60.0
SUBMIT_SLACK = 1.0
# Listing a thousand pages of an object store takes minutes.
OUTPUT_LIST = 600.0
# One read of an output: a hanging one is begun anew by the host, at its offset.
OUTPUT_STALL = 120.0
# A message of an output: a quarter of the contract's limit.
OUTPUT_CHUNK = 256 << 10
# Validate, Plan, Find, Cancel, RegistryAuth: somebody waits at a terminal.
CHECK = 60.0
# Cleanup deletes staged objects with many calls, and nobody waits for it.
CLEANUP = 300.0
# One status call: a hanging one must not look like a job without news.
STATUS = 30.0
# One scope call: it comes before other calls, which have bounds of their own.
SCOPE = 20.0
# How long a live scope is believed for answers that a later one corrects.
SCOPE_AGE = 60.0
# Bounds the memory for configs that come and go.
MAX_SCOPES = 256

# For a host that asks for no heartbeat, or for nonsense.
HEARTBEAT = 10.0
MIN_HEARTBEAT = 0.02

# A step of a second must not wait for its verdict longer than a person notices;
# minutes of training do not justify more calls.
POLL_FIRST = 0.05
POLL_CHANGED = 0.25
POLL_MAX = 15.0
POLL_GROWTH = 1.25
# The pause after "could not ask".
FAIL_FIRST = 0.5
FAIL_MAX = 30.0
FAIL_GROWTH = 2.0
# A wrong Retry-After must not hide a run for a day.
THROTTLE_MAX = 600.0
# Keeps a thousand runs that began together from asking together.
JITTER = 0.2

# A message of a log is closed for more entries: large enough that the cost per
# message does not count.
LOG_MESSAGE = 512 << 10
# What may wait for a slow host before the author's code is held up: one message
# on the wire, one being filled.
LOG_QUEUED = 1 << 20
# Counted per entry, so that empty ones are bounded too.
ENTRY_OVERHEAD = 64
# A log that has been read for so long after "could not ask" counts as reachable.
REACHABLE_AFTER = 5.0
# How often a step's log file is looked at when its process writes it directly.
LOG_LOOK = 0.1

# The hello comes right after the start; only a stopped host takes longer.
HELLO = 10.0
MAX_HELLO = 12 << 10
# How long a running Submit may go on after the plugin was told to stop.
SUBMIT_GRACE = 10.0
# Replies and cancelled calls after a stop: microseconds on a local socket.
FLUSH = 1.0
# Steps of a Launcher after a stop: enough to kill child processes.
LAUNCH_STOP = 1.5
