"""``stephost launch`` as a function, and as a coroutine."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import _cli, _light
from ._errors import CallError, NotInstalledError
from ._options import Options, flags
from ._result import Result
from ._watch import OnLog, OnStatus, Watch

if TYPE_CHECKING:
    import subprocess

    from typing_extensions import Unpack


def launch(
    command: Sequence[str] | None = None,
    *,
    step: str | None = None,
    check: bool = True,
    detach: bool = False,
    on_log: OnLog | None = None,
    on_status: OnStatus | None = None,
    **options: Unpack[Options],
) -> Result:
    """Run a step, show its log while it runs, and return its result.

    ``command`` is the step's argv, passed on as it is; ``step`` names a step of
    the project's stephost.hcl, whose command it replaces when both are given.

    A step that does not succeed raises StepFailed (or StepTimeout, StepCancelled)
    with ``class_``, ``reason`` and ``last_lines``; with ``check=False`` its result
    is returned. A launch that stephost refuses raises LaunchError. KeyboardInterrupt
    (Ctrl-C) cancels the job, waits until it is gone, and is raised again; a second
    one leaves that to the background.

    ``on_log`` and ``on_status`` get what is otherwise printed.
    """
    words, env = command_line(command, step, detach, options)
    return follow(words, env, Watch(on_log, on_status), check=check, detach=detach)


async def launch_async(
    command: Sequence[str] | None = None,
    *,
    step: str | None = None,
    check: bool = True,
    detach: bool = False,
    on_log: OnLog | None = None,
    on_status: OnStatus | None = None,
    **options: Unpack[Options],
) -> Result:
    """The same as a coroutine. Cancelling its task cancels the job: the task ends
    when the job is gone."""
    words, env = command_line(command, step, detach, options)
    return await follow_async(words, env, Watch(on_log, on_status), check=check, detach=detach)


def command_line(
    command: Sequence[str] | None, step: str | None, detach: bool, options: Mapping[str, Any]
) -> tuple[list[str], dict[str, str]]:
    if _light.importing:
        raise CallError(
            f"{_light.importing} launches a step while it is imported, and it is imported wherever the step runs; "
            'put the launch under: if __name__ == "__main__":'
        )
    if isinstance(command, str):
        raise CallError(f'command is one text; write its words as a list, or ["sh", "-c", {command!r}]')
    glob, rest, env = flags(options)
    words = [*glob, "launch"]
    if step is not None:
        words.append(step)
    if detach:
        words.append("--detach")
    words += rest
    if command is not None:
        words += ["--", *command]
    return _cli.argv([], *words), _cli.environment(env, options.get("environ"))


def _started(error: OSError) -> NotInstalledError:
    return NotInstalledError(f"stephost cannot be started: {error}")


def follow(words: list[str], env: dict[str, str], watch: Watch, *, check: bool, detach: bool = False) -> Result:
    """Run a command that watches a run."""
    import subprocess
    import threading

    # In this process group, so that a signal to the group means to stephost what
    # its --on-term says. stderr is a pipe: with a terminal there, a second Ctrl-C
    # of the person would be read as "leave".
    try:
        p = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
    except OSError as e:
        raise _started(e) from e
    assert p.stdout is not None and p.stderr is not None
    said: list[bytes] = []
    pipe = p.stderr
    drain = threading.Thread(target=lambda: said.extend(pipe), daemon=True, name="stephost-stderr")
    drain.start()
    stopped: BaseException | None = None
    while True:
        try:
            for line in p.stdout:
                watch.feed(line)
            watch.finish()
            code = p.wait()
            break
        except BaseException as e:
            if stopped is not None:
                raise  # the second Ctrl-C: stephost goes on cancelling without us
            stopped = e
            watch.muted = not isinstance(e, KeyboardInterrupt)  # an error of on_log would come again
            # A launch that is about to leave its run to the background is waited for: an
            # orchestrator that ends this process in that moment has not said "cancel".
            if not detach or isinstance(e, KeyboardInterrupt):
                interrupt(p)
    drain.join(1)
    p.stdout.close()
    if not drain.is_alive():
        p.stderr.close()
    if stopped is not None:
        raise stopped
    return watch.checked(code, b"".join(said).decode("utf-8", "replace"), check, detach)


def interrupt(p: subprocess.Popen[bytes]) -> None:
    """Ask stephost to cancel. Also when the terminal did: it counts once."""
    try:
        p.send_signal(signal.SIGINT)
    except OSError:  # it is over
        pass


async def follow_async(words: list[str], env: dict[str, str], watch: Watch, *, check: bool, detach: bool = False) -> Result:
    """The same in an event loop."""
    import asyncio

    try:
        p = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=env,
            limit=_LINE,
        )
    except OSError as e:
        raise _started(e) from e

    async def run() -> bytes:
        assert p.stdout is not None and p.stderr is not None
        stderr = asyncio.ensure_future(p.stderr.read())
        try:
            async for line in p.stdout:
                watch.feed(line)
        except Exception:
            watch.muted = True
            if not detach:
                p.send_signal(signal.SIGINT)
            async for line in p.stdout:
                watch.feed(line)
            raise
        finally:
            await p.wait()
        return await stderr

    work = asyncio.ensure_future(run())
    try:
        said = await asyncio.shield(work)
    except asyncio.CancelledError:
        try:
            if not detach:
                p.send_signal(signal.SIGINT)
        except ProcessLookupError:
            pass
        await asyncio.shield(work)  # a second cancel leaves the rest to stephost
        raise
    return watch.checked(p.returncode or 0, said.decode("utf-8", "replace"), check, detach)


# The longest line of JSON: an entry of the log is bounded far below that.
_LINE = 16 << 20
