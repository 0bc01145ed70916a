"""What can go wrong, by what a caller does about it."""

from __future__ import annotations

# As type checkers read it: what runs elsewhere imports this too.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ._result import Result

# How many of the last lines stand in the text of an error; all that are kept are
# in its last_lines.
_SHOWN = 20


class StephostError(Exception):
    """The root of all errors of this package."""


class NotInstalledError(StephostError):
    """The program ``stephost`` is not there, or cannot be started."""


class LaunchError(StephostError):
    """stephost refused: a mistake in the input, or something that it could not do.

    No step was judged by this: where there is a run, ``result`` says so and
    ``stephost.runs`` reaches it.
    """

    def __init__(
        self,
        summary: str,
        *,
        next: str = "",
        diagnostics: Sequence[dict[str, Any]] = (),
        result: Result | None = None,
    ) -> None:
        self.summary = summary
        self.next = next
        self.diagnostics = list(diagnostics)
        self.result = result
        super().__init__("\n".join([summary, *([f"Next: {next}"] if next else [])]))


class CallError(StephostError):
    """A function, an argument or a result that cannot travel, and what to do."""


class StepFailed(StephostError):
    """The run is over, and the step did not succeed."""

    def __init__(self, result: Result, last_lines: Sequence[str] = ()) -> None:
        self.result = result
        self.last_lines = list(last_lines)
        super().__init__(_failed(result, self.last_lines))

    @property
    def class_(self) -> str:
        """Why, in one word: ``user``, ``capacity``, ``preempted``, ``timeout``..."""
        return self.result.class_

    @property
    def reason(self) -> str:
        """Why, in the words of the backend."""
        return ": ".join(p for p in (self.result.reason, self.result.message) if p)


class StepTimeout(StepFailed):
    """A timeout of the step ended it."""


class StepCancelled(StepFailed):
    """Somebody cancelled the run. ``result.cancel_unconfirmed``: its end was not seen."""


class StepDetached(StepFailed):
    """The run goes on without this process; ``stephost.runs`` comes back to it."""


def _failed(r: Result, lines: list[str]) -> str:
    name = r.step or "the step"
    how = {
        "timeout": "timed out",
        "cancelled": "was cancelled",
        "lost": "was lost",
        "unknown": "has an end that nobody knows",
        "detached": "goes on in the background",
    }.get(r.class_, "failed")
    text = f"{name} on {r.operator} {how} (class {r.class_}"
    if r.exit_code is not None:
        text += f", exit code {r.exit_code}"
    if r.signal:
        text += f", {r.signal}"
    text += f", run {r.run})"
    why = ": ".join(p for p in (r.reason, r.message, r.error) if p)
    if why:
        text += f": {why}"
    if r.next:
        text += f"\nNext: {r.next}"
    if lines:
        text += "\nLast lines:\n" + "\n".join("  " + line for line in lines[-_SHOWN:])
    return text


def error_of(result: Result, lines: Sequence[str], diagnostics: Sequence[dict[str, Any]] = ()) -> StephostError | None:
    """The error that a result is; None for a success."""
    if result.class_ == "succeeded":
        return None
    if result.class_ == "detached":
        return StepDetached(result, lines)
    if not result.phase and not result.run or result.class_ in ("config", "unknown"):
        summary = result.error or result.message or result.reason or f"run {result.run} is {result.class_}"
        return LaunchError(summary, next=result.next, diagnostics=diagnostics, result=result)
    kind = {"timeout": StepTimeout, "cancelled": StepCancelled}.get(result.class_, StepFailed)
    return kind(result, lines)
