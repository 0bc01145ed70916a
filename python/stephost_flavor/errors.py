"""Errors with their meaning for the contract.

Raise them from a flavor's methods. What anything else means depends on the call:
in submit it is UNCERTAIN (the backend may have accepted), in reads it is "could
not ask", and in launch it is a failure of class SYSTEM.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator

from .status import Class, Scope


class Ask(enum.IntEnum):
    """Why the backend gave no answer."""

    UNREACHABLE = 1
    THROTTLED = 2
    AUTH = 3
    WRONG_SCOPE = 4


class Error(Exception):
    """An error with its meaning. Its first line is what a person sees first; the
    whole text is the detail."""

    class_: Class = Class.SYSTEM
    """Decides about retries."""
    ask: Ask | None = None
    """Set when the backend could not be asked."""
    retry_after: float = 0.0
    """Seconds; goes with ask. 0 = the SDK's own pace."""
    rejected: bool = False
    """The backend certainly holds nothing for the key."""
    warning: bool = False
    """It went on, but a person should know."""
    note: bool = False
    """Nothing is wrong: a fact for who asks."""
    exit_code: int | None = None
    """Of the step's process."""
    signal: str = ""
    """That ended the step's process."""

    def __init__(self, text: object, *, attribute: str = "") -> None:
        super().__init__(str(text))
        self.attribute: list[str] = attribute.split(".") if attribute else []
        if isinstance(text, BaseException):
            self.__cause__ = text

    def __str__(self) -> str:
        return str(self.args[0]) or "unspecified error"


class User(Error):
    """The step's own process ended with this code, 0 to 255 (or by this signal). Any
    other is none of a process: it stands in the message, and stephost exits with 1."""

    class_ = Class.USER

    def __init__(self, exit_code: int | None, signal: str = "", text: str = "") -> None:
        super().__init__(text or (f"the step was ended by {signal}" if signal else f"the step exited with code {exit_code}"))
        self.exit_code = exit_code
        self.signal = signal


class Capacity(Error):
    """The backend has no room just now."""

    class_ = Class.CAPACITY


class Preempted(Error):
    """The backend took the machine away."""

    class_ = Class.PREEMPTED


class System(Error):
    """The backend failed."""


class Timeout(Error):
    """A limit of time of the backend ended the job."""

    class_ = Class.TIMEOUT


class Cancelled(Error):
    """The step was ended on request."""

    class_ = Class.CANCELLED


class Config(Error):
    """What a person wrote cannot work here. path names the attribute, for example
    "config.role" or "settings.tolerations.0.key"; "" when it is about none."""

    class_ = Class.CONFIG

    def __init__(self, path: str, text: object) -> None:
        super().__init__(text, attribute=path)


class Auth(Error):
    """Credentials are missing, wrong, expired or not permitted."""

    class_ = Class.AUTH
    ask = Ask.AUTH


class Unreachable(Error):
    """There was no connection, a timeout or a 5xx."""

    ask = Ask.UNREACHABLE


class Throttled(Error):
    """The backend wants fewer calls. retry_after = 0 leaves the pace to the SDK."""

    ask = Ask.THROTTLED

    def __init__(self, text: object, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class WrongScope(Error):
    """These credentials lead to another place."""

    class_ = Class.AUTH
    ask = Ask.WRONG_SCOPE

    def __init__(self, want: Scope, live: Scope) -> None:
        super().__init__(f"the run belongs to {want}, but this config and these credentials lead to {live}")


class Rejected(Error):
    """In submit: the backend certainly holds nothing for the key.

    Rejected(Config("config.role", "...")) ends the attempt with that class;
    Rejected(Throttled("...")), where nobody could be asked, lets the host send the
    same request again."""

    rejected = True

    def __init__(self, error: object) -> None:
        super().__init__(error)
        if isinstance(error, BaseException):
            inner = find(error)
            if inner is not None:
                self.class_, self.attribute = inner.class_, inner.attribute


class AlreadyOver(Error):
    """In cancel: there was nothing to end."""

    def __init__(self, text: object = "the job is already over") -> None:
        super().__init__(text)


class NotOurs(Error):
    """In registry_auth: the registry is of another cloud."""

    def __init__(self, text: object = "the registry is not of this cloud") -> None:
        super().__init__(text)


class NoOutput(Error):
    """In output_files and open_output: the location, or the file of it, is not there
    (any more)."""

    class_ = Class.LOST

    def __init__(self, text: object = "the output is not there any more") -> None:
        super().__init__(text)


class OutputRange(Error):
    """In open_output: the file ends at or before the offset. The SDK then begins
    anew."""

    def __init__(self, text: object = "the file is not longer than the offset") -> None:
        super().__init__(text)


class Several(Error):
    """Several findings at once, for validate and preflight."""

    def __init__(self, errors: list[Error]) -> None:
        super().__init__("; ".join(str(e) for e in errors))
        self.errors = errors


def warning(path: str, text: str) -> Error:
    """A finding for validate and preflight that stops nothing."""
    e = Error(text, attribute=path)
    e.warning = True
    return e


def note(path: str, text: str) -> Error:
    """A finding for preflight that is nothing wrong: a fact that doctor shows."""
    e = Error(text, attribute=path)
    e.note = True
    return e


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and its explicit causes, outermost first."""
    seen: set[int] = set()
    e: BaseException | None = error
    while e is not None and id(e) not in seen:
        seen.add(id(e))
        yield e
        e = e.__cause__


def find(error: BaseException) -> Error | None:
    """The outermost Error of the chain."""
    return next((e for e in chain(error) if isinstance(e, Error)), None)


def ask_of(error: BaseException) -> Error | None:
    """The error of the chain that says that nobody could be asked."""
    return next((e for e in chain(error) if isinstance(e, Error) and e.ask is not None), None)


def is_rejected(error: BaseException) -> bool:
    """Whether the chain says that the backend holds nothing for the key."""
    return any(isinstance(e, Error) and e.rejected for e in chain(error))


def class_of(error: BaseException) -> Class:
    """The class that the chain carries. Unknown is SYSTEM."""
    e = find(error)
    return e.class_ if e is not None else Class.SYSTEM
