"""What comes from ``stephost --output json`` while a run goes on."""

from __future__ import annotations

import collections
import json
import sys
from collections.abc import Callable
from typing import Any, TextIO

from ._cli import diagnostics, problem
from ._errors import LaunchError, error_of
from ._result import Log, Result, Status

OnLog = Callable[[Log], None]
OnStatus = Callable[[Status], None]

# How many of the last lines of the log an error keeps.
_KEPT = 100
# How much of one line is kept: progress bars have lines without an end.
_KEPT_LINE = 2000
# Lines that carry the results of functions begin so (see _travel).
PREFIX = "::stephost value stephost."


class Watch:
    """Takes the lines of one command, passes on what a person should see, and
    keeps what the outcome is made of.

    A line that was being taken when an exception came (Ctrl-C) is taken again by
    the next call: rather twice than never.
    """

    def __init__(self, on_log: OnLog | None = None, on_status: OnStatus | None = None) -> None:
        self._on_log = on_log or show_log
        self._on_status = on_status or show_status
        self._pending: bytes | None = None
        self._open: dict[tuple[int, int, str, str], str] = {}
        self._last: collections.deque[str] = collections.deque(maxlen=_KEPT)
        self.run = ""
        self.result: Result | None = None
        self.diagnostics: list[dict[str, Any]] = []
        self.error: LaunchError | None = None
        self.muted = False

    def feed(self, line: bytes) -> None:
        """Take one line."""
        if self._pending is not None:
            line, again = self._pending, line
            self._take(line)
            self._pending, line = again, again
        self._pending = line
        self._take(line)
        self._pending = None

    def finish(self) -> None:
        """Take what an exception left."""
        if self._pending is not None:
            self._take(self._pending)
            self._pending = None

    def _take(self, line: bytes) -> None:
        if not line.strip():
            return
        try:
            d = json.loads(line)
        except ValueError:
            return  # a torn last line of a program that was killed
        kind = d.get("type")
        self.run = str(d.get("run") or self.run)
        if kind == "log":
            self._log(Log.of(d))
        elif kind == "status":
            if not self.muted:
                self._on_status(Status.of(d))
        elif kind == "result":
            self.result = Result.of(d)
            self.diagnostics = list(d.get("diagnostics") or ())
        elif kind == "notice":
            if d.get("level") == "warning" and not self.muted:
                print(f"stephost: {d.get('message', '')}{diagnostics(d.get('diagnostics') or ())}", file=sys.stderr)
        elif kind == "gap":
            if not self.muted:
                print(f"stephost: lines may be missing here ({d.get('certainty')}): {d.get('reason', '')}", file=sys.stderr)
        elif "error" in d:
            e = d["error"]
            self.error = LaunchError(problem(e), next=str(e.get("next", "")), diagnostics=d.get("diagnostics") or ())
        elif d.get("diagnostics"):
            self.error = LaunchError(diagnostics(d["diagnostics"]), diagnostics=d["diagnostics"])

    def _log(self, log: Log) -> None:
        source = (log.attempt, log.node, log.container, log.stream)
        lines = (self._open.pop(source, "") + log.text).split("\n")
        for text in lines[:-1]:
            if text.startswith(PREFIX):
                # Not the step's words, nor is the line end before them.
                if self._last and not self._last[-1]:
                    self._last.pop()
                continue
            self._last.append(text.rstrip("\r")[-_KEPT_LINE:])
        if lines[-1]:
            self._open[source] = lines[-1][-_KEPT_LINE:]
        if not self.muted:
            self._on_log(log)

    @property
    def last_lines(self) -> list[str]:
        """The last lines of the log."""
        return [*self._last, *self._open.values()]

    def outcome(self, code: int, stderr: str) -> Result:
        """The result, when the program is over; what went wrong is raised."""
        self.finish()
        if self.result is not None:
            return self.result
        if self.error is not None:
            raise self.error
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        text = f"stephost {how} before it told a result"
        following = "come back to the run: stephost run attach " + self.run if self.run else ""
        if stderr.strip():
            text += ": " + stderr.strip()[-4000:]
        raise LaunchError(text, next=following)

    def checked(self, code: int, stderr: str, check: bool, detach: bool = False) -> Result:
        """The result; where it is no success and ``check`` is set, the error for it."""
        result = self.outcome(code, stderr)
        error = error_of(result, self.last_lines, self.diagnostics)
        if error is None or (detach and result.class_ == "detached"):
            return result
        if check or not result.run:
            raise error
        return result


def show_log(log: Log) -> None:
    """The step's stdout goes to stdout, the rest to stderr."""
    _write(sys.stdout if log.stream == "stdout" else sys.stderr, log.text)


def show_status(s: Status) -> None:
    """One line on stderr."""
    why = ": ".join(p for p in (s.reason, s.message) if p)
    _write(sys.stderr, f"-- {s.phase}{f' ({why})' if why else ''} --\n")


def _write(to: TextIO | None, text: str) -> None:
    if to is None:  # pythonw, a daemon
        return
    try:
        to.write(text)
    except UnicodeEncodeError:  # a terminal that is not UTF-8
        to.write(text.encode(to.encoding or "ascii", "replace").decode(to.encoding or "ascii"))
    to.flush()
