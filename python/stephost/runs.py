"""See and steer runs: ``stephost run`` as functions.

A run is named by its ID (or the beginning of it), or by ``token``, with
``operator`` where the record is on another machine.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Iterator, Mapping
from typing import Any

from . import _cli
from ._errors import CallError, LaunchError
from ._launch import follow
from ._result import Log, Output, Result
from ._watch import OnLog, OnStatus, Watch


def _name(run: str | None, operator: str | None, token: str | None) -> builtins.list[str]:
    if (run is None) == (token is None):
        raise CallError("name the run by its ID, or by token=")
    words = [run] if run is not None else ["--token", str(token)]
    return words + (["--operator", operator] if operator is not None else [])


def list() -> builtins.list[dict[str, Any]]:
    """All runs that this home knows, the newest first, as `run list` tells them."""
    items = _cli.ask(["run", "list"])["items"]
    return [dict(i) for i in items]


def show(run: str | None = None, *, operator: str | None = None, token: str | None = None) -> dict[str, Any]:
    """One run with its attempts."""
    return dict(_cli.ask(["run", "show", *_name(run, operator, token)])["item"])


def logs(
    run: str | None = None,
    *,
    operator: str | None = None,
    token: str | None = None,
    follow: bool = False,
    tail: int | None = None,
) -> Iterator[Log]:
    """The log, from its start; with ``follow`` until it is complete."""
    import json
    import subprocess

    words = ["run", "logs", *_name(run, operator, token)]
    words += ["--follow"] if follow else []
    words += ["--tail", str(tail)] if tail is not None else []
    p = subprocess.Popen(
        _cli.argv([], *words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_cli.environment()
    )
    assert p.stdout is not None
    try:
        for line in p.stdout:
            d = json.loads(line)
            if d.get("type") == "log":
                yield Log.of(d)
            elif "error" in d and d.get("type") is None:
                raise LaunchError(_cli.problem(d["error"]), next=str(d["error"].get("next", "")))
    finally:
        p.terminate()  # a viewer: the run does not notice
        p.stdout.close()
        p.wait()


def attach(
    run: str | None = None,
    *,
    operator: str | None = None,
    token: str | None = None,
    check: bool = True,
    take_over: bool = False,
    on_log: OnLog | None = None,
    on_status: OnStatus | None = None,
) -> Result:
    """Join a run: its log from the start, until its end. Where nobody drives it,
    this does, and KeyboardInterrupt cancels it; otherwise it only looks on."""
    words = _cli.argv([], "run", "attach", *_name(run, operator, token), *(["--take-over"] if take_over else []))
    return follow_run(words, Watch(on_log, on_status), check)


def wait(run: str | None = None, *, operator: str | None = None, token: str | None = None, check: bool = True) -> Result:
    """Wait for the end of a run, without its log. An interrupt ends the waiting,
    never the run."""
    return follow_run(_cli.argv([], "run", "wait", *_name(run, operator, token)), Watch(), check)


def follow_run(words: builtins.list[str], watch: Watch, check: bool) -> Result:
    return follow(words, _cli.environment(), watch, check=check)


def cancel(
    run: str | None = None, *, operator: str | None = None, token: str | None = None, force: bool = False, wait: bool = True
) -> Result:
    """Cancel a run, and wait until its job is gone unless told not to. The result
    is the run's; a run that was over already is no error."""
    words = ["run", "cancel", *_name(run, operator, token)]
    words += ["--force"] if force else []
    words += [] if wait else ["--no-wait"]
    return follow_run(_cli.argv([], *words), Watch(on_status=lambda _: None), check=False)


def outputs(
    run: str | None = None,
    *,
    operator: str | None = None,
    token: str | None = None,
    get: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
) -> tuple[builtins.list[Output], Mapping[str, Any]]:
    """What a run left: outputs and named values. ``get`` fetches the outputs into a
    directory; files that are there and are others are not replaced, but with
    ``overwrite``. LaunchError when one could not be had."""
    words = ["run", "outputs", *_name(run, operator, token)]
    words += ["--get", os.fspath(get)] if get is not None else []
    words += ["--overwrite"] if overwrite else []
    item = _cli.ask(words)["item"]
    found = Result.of({"outputs": item.get("outputs"), "values": item.get("values")})
    return builtins.list(found.outputs), found.values


def recover(*runs: str) -> builtins.list[Result]:
    """Go on with runs whose process is gone, until each is over; without names
    with every one that nobody drives."""
    import json
    import subprocess

    words = _cli.argv([], "run", "recover", *(runs or ("--all",)))
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, env=_cli.environment(), check=False)
    found = [Result.of(d) for d in map(json.loads, done.stdout.splitlines()) if d.get("type") == "result"]
    if done.returncode != 0 and not found:
        _cli.answer(done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"), done.returncode)
    return found
