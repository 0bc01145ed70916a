"""What stephost tells: results, status, lines of the log."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Output:
    """Something that a step left: a file, a directory, or what a URI names."""

    name: str
    location: str
    bytes: int = -1


@dataclass(frozen=True)
class Result:
    """How a run ended. The fields are those of docs/json-output.md.

    ``class_`` decides, not ``exit``: a step may exit with any number itself.
    """

    run: str = ""
    token: str = ""
    operator: str = ""
    flavor: str = ""
    step: str = ""
    attempt: int = 0
    state: str = ""
    class_: str = "unknown"
    exit_code: int | None = None
    signal: str = ""
    phase: str = ""
    reason: str = ""
    message: str = ""
    cancel_unconfirmed: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[Output, ...] = ()
    url: str = ""
    error: str = ""
    next: str = ""
    exit: int = 125
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The whole document, also with fields that this version does not know."""

    @property
    def succeeded(self) -> bool:
        """Whether the step ran to a good end."""
        return self.class_ == "succeeded"

    @classmethod
    def of(cls, d: Mapping[str, Any]) -> Result:
        """Read a result line."""
        outputs = tuple(
            Output(name=str(o.get("name", "")), location=str(o.get("location", o.get("uri", ""))), bytes=int(o.get("bytes", -1)))
            for o in d.get("outputs") or ()
        )
        return cls(
            run=str(d.get("run", "")),
            token=str(d.get("token", "")),
            operator=str(d.get("operator", "")),
            flavor=str(d.get("flavor", "")),
            step=str(d.get("step", "")),
            attempt=int(d.get("attempt", 0)),
            state=str(d.get("state", "")),
            class_=str(d.get("class", "unknown")),
            exit_code=d.get("exit_code"),
            signal=str(d.get("signal", "")),
            phase=str(d.get("phase", "")),
            reason=str(d.get("reason", "")),
            message=str(d.get("message", "")),
            cancel_unconfirmed=bool(d.get("cancel_unconfirmed", False)),
            values=dict(d.get("values") or {}),
            outputs=outputs,
            url=str(d.get("url", "")),
            error=str(d.get("error", "")),
            next=str(d.get("next", "")),
            exit=int(d.get("exit", 125)),
            raw=dict(d),
        )


@dataclass(frozen=True)
class Status:
    """Where a run is: a state of stephost's, or a phase of the backend's."""

    run: str = ""
    attempt: int = 0
    phase: str = ""
    reason: str = ""
    message: str = ""
    url: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, d: Mapping[str, Any]) -> Status:
        """Read a status line."""
        words = {k: str(d.get(k, "")) for k in ("run", "phase", "reason", "message", "url")}
        return cls(attempt=int(d.get("attempt", 0)), raw=dict(d), **words)


@dataclass(frozen=True)
class Log:
    """Some lines of a step's log, or a part of one (``partial``)."""

    text: str
    stream: str = "stdout"
    attempt: int = 0
    node: int = 0
    container: str = ""
    time: str = ""
    partial: bool = False

    @classmethod
    def of(cls, d: Mapping[str, Any]) -> Log:
        """Read a log line. Bytes that are not UTF-8 come as U+FFFD."""
        text = d.get("text")
        if text is None:
            text = base64.b64decode(d.get("base64", "")).decode("utf-8", "replace")
        source: Mapping[str, Any] = d.get("source") or {}
        return cls(
            text=str(text),
            stream=str(source.get("stream", "stdout")),
            attempt=int(source.get("attempt", 0)),
            node=int(source.get("node", 0)),
            container=str(source.get("container", "")),
            time=str(d.get("time", "")),
            partial=bool(d.get("partial", False)),
        )
