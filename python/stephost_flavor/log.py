"""The plugin's log: lines of hclog's JSON on standard error, for the host."""

from __future__ import annotations

import contextvars
import json
import logging
import os
import threading
import time
import traceback
from typing import Any

TRACE = 5
"""Level below DEBUG, as hclog has it."""

fields: contextvars.ContextVar[dict[str, str]] = contextvars.ContextVar("stephost_flavor_fields", default={})
"""What every line of a call carries: operator, call, run, key."""

# The host keeps 64 KiB of a line; JSON may escape a byte with six.
_MAX_TEXT = 8 << 10
_MAX_TRACE = 32 << 10
_LEVELS = {"trace": TRACE, "debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR, "off": 100}
_USUAL = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Handler(logging.Handler):
    """Writes each record with one write, and survives a host that is gone."""

    def __init__(self, fd: int = 2) -> None:
        super().__init__()
        self._fd = fd
        self._write = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = json.dumps(entry(record), ensure_ascii=False, default=str) + "\n"
            data = line.encode("utf-8", "backslashreplace")
            with self._write:
                while data:
                    data = data[os.write(self._fd, data) :]
        except Exception:
            pass  # nobody reads: a log line is no reason to end a step


def entry(record: logging.LogRecord) -> dict[str, Any]:
    """The record as hclog writes it."""
    ms = int(record.created * 1e6) % 1_000_000
    message = record.getMessage()
    out: dict[str, Any] = {
        "@level": _level_name(record.levelno),
        "@message": message[:_MAX_TEXT],
        "@timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{ms:06d}Z",
    }
    if record.name != "root":
        out["@module"] = record.name
    out.update(fields.get())
    for name, value in vars(record).items():
        if name not in _USUAL:
            out[name] = str(value)[:_MAX_TEXT]
    if record.exc_info and record.exc_info[1] is not None:
        text = "".join(traceback.format_exception(*record.exc_info, limit=-50))
        out["traceback"] = text[-_MAX_TRACE:]
    return out


def _level_name(level: int) -> str:
    for name, at in (("error", logging.ERROR), ("warn", logging.WARNING), ("info", logging.INFO), ("debug", logging.DEBUG)):
        if level >= at:
            return name
    return "trace"


def account(call: str, e: BaseException) -> None:
    """Tells the host about a mistake in the flavor's code, between lines that it
    knows (proto/stephost/lifeline). Not through the log: its level may be off."""
    text = "".join(traceback.format_exception(e, limit=-50))[-_MAX_TRACE:].rstrip("\n")
    head = f"{type(e).__name__}: {e}".replace("\n", " ")[:_MAX_TEXT]
    data = f"stephost: panic in {call}: {head}\n{text}\nstephost: end of panic\n".encode("utf-8", "backslashreplace")
    try:
        while data:
            data = data[os.write(2, data) :]
    except OSError:
        pass  # the host is gone


def setup(level: str, human: bool = False) -> None:
    """Sends everything that is logged to the host, at its level; or, as plain
    text, to the person who has started the process."""
    logging.addLevelName(TRACE, "TRACE")
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    if human:
        plain = logging.StreamHandler()
        plain.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.addHandler(plain)
    else:
        root.addHandler(Handler())
    root.setLevel(_LEVELS.get(level, logging.INFO))
    # At DEBUG they tell which selector and which loop they use.
    for name in ("asyncio", "grpc"):
        logging.getLogger(name).setLevel(logging.WARNING)
