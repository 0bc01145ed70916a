"""Times remote calls beside launches of the CLI, in turn; prints milliseconds as JSON.

Runs as a script, so that the step's source is this directory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import stephost


@stephost.step(step_operator="here", on_log=lambda _: None, on_status=lambda _: None)
def add(a: int, b: int) -> int:
    return a + b


def timed(f) -> float:
    began = time.perf_counter()
    f()
    return (time.perf_counter() - began) * 1000


def main(rounds: int) -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    env = {**os.environ, "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]}

    def cli() -> None:
        subprocess.run(
            [stephost.binary(), "launch", "--operator", "here", "--source", here, "--", "python3", "-c", "pass"],
            check=True,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )

    def call() -> None:
        assert add.remote(2, 3) == 5

    def imported() -> None:
        subprocess.run([sys.executable, "-c", "import stephost"], check=True)

    def bare() -> None:
        subprocess.run([sys.executable, "-c", "pass"], check=True)

    for f in (cli, call, imported, bare):
        f()
    out = {"cli": [], "call": [], "import": [], "bare": []}
    for _ in range(rounds):
        out["cli"].append(timed(cli))
        out["call"].append(timed(call))
        out["bare"].append(timed(bare))
        out["import"].append(timed(imported))
    print(json.dumps(out))


if __name__ == "__main__":
    main(int(sys.argv[1]))
