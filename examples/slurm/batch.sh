#!/bin/sh
# Runs a step of stephost: batch.sh JOB_DIR WORK_DIR ARGV...
# It is the same for every step. Arguments and variables stay what they are.
job=$1
work=$2
shift 2

fail() {
	echo "stephost: $1, on node ${SLURMD_NODENAME-?}" >&2
	echo "$1" >"$job/failed"
	exit 125
}

echo "$SLURM_JOB_ID" >"$job/id.part" && mv -f "$job/id.part" "$job/id"
cd "$work" || fail "the work directory $work is not there"

# Slurm ends a job with SIGTERM to all of its processes. This one waits for the
# step, which may still have something to write; a trap, unlike ignoring the
# signal, is not inherited by the step.
trap : TERM
# exec takes no builtin of the shell for the step's command.
(exec "$@")
code=$?
echo "$code" >"$job/exit.part" && mv -f "$job/exit.part" "$job/exit"
exit "$code"
