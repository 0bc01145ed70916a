#!/usr/bin/env bash
# From a fresh clone to a trained model: uses the local flavor from its binary,
# registers an operator, launches the training step and fetches the model.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export PATH="$root/bin:$PATH"
export STEPHOST_HOME="${STEPHOST_HOME:-$root/bin/demo-home}"

run() { printf '\n$ %s\n' "$*"; "$@"; }

run stephost version
run stephost flavor list
run stephost operator list || true
if ! stephost operator describe laptop >/dev/null 2>&1; then
  run stephost operator register laptop --flavor=local
fi
cd "$root/examples/digits"
run stephost validate
run stephost launch train --operator laptop --result-file "$STEPHOST_HOME/result.json"
run cat "$STEPHOST_HOME/result.json"
id=$(python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))["run"])' "$STEPHOST_HOME/result.json")
run stephost run show "$id"
rm -rf "$STEPHOST_HOME/model"
run stephost run outputs "$id" --get "$STEPHOST_HOME/model"
run ls -l "$STEPHOST_HOME/model"
