"""Runs a step as a child process of the plugin, and ends all of its processes.

The child stays in the plugin's process group: the host kills that group when the
plugin has died, so that a step never outlives the process that knows about it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from .errors import Cancelled, Error, System, User
from .step import LaunchStep

MARK = "STEPHOST_STEP_KEY"
"""A variable that names the step in the environment of all of its processes: by it
those are found that have left their parents."""

# How long a killed process may take to be gone, and how often that is looked at.
_KILL_LIMIT = 5.0
_LOOK = 0.02


def run_child(
    step: LaunchStep,
    argv: Sequence[str] | None = None,
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    grace: float = 5.0,
    on_start: Callable[[subprocess.Popen[bytes]], None] | None = None,
) -> None:
    """See LaunchStep.run. With on_start the output goes through pipes that
    on_start reads (process.stdout, process.stderr); it is called in this thread."""
    if step.cancelled.is_set():
        raise Cancelled("the step was ended before it started")
    argv = list(step.argv if argv is None else argv)
    directory = step.environment.directory
    pipes = on_start is not None
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd or (directory.path if directory else None) or step.run_dir or None,
            env={**environment(step), **(env or {}), MARK: step.key},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else step.stdout.fileno(),
            stderr=subprocess.PIPE if pipes else step.stderr.fileno(),
        )
    except FileNotFoundError as e:
        if e.filename != argv[0]:
            raise System(e) from e
        raise User(127, text=f"there is no program {argv[0]}") from e
    except PermissionError as e:
        raise User(126, text=f"the program {argv[0]} may not be executed") from e
    ending: list[threading.Thread] = []

    def end() -> None:
        t = threading.Thread(target=_end, args=(process, step, grace), name="end-" + step.key, daemon=True)
        ending.append(t)
        t.start()

    forget = step.cancelled.then(end)
    try:
        if on_start is not None:
            on_start(process)
        code = process.wait()
    finally:
        forget()
        if process.poll() is None:  # on_start raised
            _end(process, step, 0)
        for t in ending:
            t.join()
        # What the step left in the background is over with it: its log has ended.
        _kill(lambda: _marked(step.key))
    if step.cancelled.is_set():
        raise Cancelled("the step was ended")
    error = failure(code)
    if error is not None:
        raise error


def failure(code: int) -> Error | None:
    """What a return code of subprocess means; None = success."""
    if code == 0:
        return None
    if code > 0:
        return User(code)
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return User(None, signal=name)


def environment(step: LaunchStep) -> dict[str, str]:
    """The step's environment: what the plugin has (the host has filtered it), the
    run's names, the prepared virtual environment, env and secrets."""
    out = {**os.environ, "STEPHOST_RUN": step.run_id, "STEPHOST_ATTEMPT": str(step.attempt)}
    directory = step.environment.directory
    if directory is not None and directory.venv:
        out["VIRTUAL_ENV"] = directory.venv
        out["PATH"] = os.path.join(directory.venv, "bin") + os.pathsep + out.get("PATH", os.defpath)
    out.update(step.environ())
    return out


def _end(process: subprocess.Popen[bytes], step: LaunchStep, usual: float) -> None:
    """Asks all processes of the step to end, and kills what is left."""

    def tree() -> Iterable[int]:
        return ({process.pid} if process.poll() is None else set()) | _marked(step.key)

    def grace() -> float:
        return usual if step.cancelled.grace is None else step.cancelled.grace

    began = time.monotonic()
    _signal(tree(), signal.SIGTERM)
    # Looked at each time: a second cancel may be a hard one.
    while tree() and time.monotonic() < began + grace():
        time.sleep(_LOOK)
    _kill(tree)


def _kill(tree: Callable[[], Iterable[int]]) -> None:
    """Kills until nothing is left: a process may fork while it is looked for."""
    end = time.monotonic() + _KILL_LIMIT
    while (pids := set(tree())) and time.monotonic() < end:
        _signal(pids, signal.SIGKILL)
        time.sleep(_LOOK)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except OSError:
            pass  # it ended meanwhile


def _marked(key: str) -> set[int]:
    """All living processes that carry the step's mark. Only Linux can tell; elsewhere
    the child alone is ended."""
    mark = f"{MARK}={key}".encode()
    out: set[int] = set()
    try:
        entries = os.listdir("/proc")
    except OSError:
        return out
    me = os.getuid()
    for name in entries:
        if not name.isdigit():
            continue
        try:
            if os.stat(f"/proc/{name}").st_uid != me:
                continue
            with open(f"/proc/{name}/environ", "rb") as f:
                if mark in f.read().split(b"\0"):
                    out.add(int(name))
        except OSError:
            continue  # ended, or somebody else's
    return out
