"""What the host gives a plugin process at its start. See docs/plugin-protocol.md.

Invariants:
  - the private key is nowhere but in memory, and in no error;
  - after open() the environment holds nothing of it, so that no child of the
    author's code takes itself for a plugin.
"""

from __future__ import annotations

import base64
import json
import os
import re
import select
import sys
import time
from dataclasses import dataclass, field

from .limits import ATTACH_POLL, ATTACH_WAIT, HELLO, MAX_HELLO

COOKIE = "STEPHOST_PLUGIN"
COOKIE_VALUE = "stephost.operator.v1:6b1f2f6c"
FD = "STEPHOST_LIFELINE_FD"
ATTACH = "STEPHOST_ATTACH"
HELLO_FILE = "hello"
SOCKET_DIR = "PLUGIN_UNIX_SOCKET_DIR"
# With it plugins in Go start sooner; it is not for their children.
GC = "GOGC"
GC_VALUE = "400"
VERSION = 1
MAJOR = 1


class StartError(Exception):
    """There is no host that could be served."""


@dataclass(frozen=True)
class TLS:
    """PEM texts."""

    cert: bytes
    key: bytes = field(repr=False)
    peer: bytes


@dataclass(frozen=True)
class Lifeline:
    """The pipe whose end means: stop. And what came through it."""

    fd: int
    socket_dir: str
    log_level: str
    tls: TLS | None
    """None = the host wants none, for benchmarks."""
    attached: bool = False
    """A person has started the process, perhaps under a debugger; fd is -1."""


def started_by_host() -> bool:
    """Whether a host has started this process, and not a person."""
    return os.environ.get(COOKIE) == COOKIE_VALUE


def attach(name: str) -> Lifeline | None:
    """What a plugin gets that a person has started with STEPHOST_ATTACH, from the
    directory that it names; None without it."""
    directory = os.environ.pop(ATTACH, "")
    if not directory:
        return None
    directory = os.path.abspath(directory)
    print(
        f"The flavor {name} waits in {directory}. Use it with:\n\n  stephost launch --attach-plugin {name}={directory} STEP\n",
        file=sys.stderr,
        flush=True,
    )
    path = os.path.join(directory, HELLO_FILE)
    end = time.monotonic() + ATTACH_WAIT
    while not os.path.exists(path):
        if time.monotonic() > end:
            raise StartError(f"no stephost has come within {ATTACH_WAIT:g} s")
        time.sleep(ATTACH_POLL)
    with open(path, "rb") as f:
        level, tls = _hello(f.readline(MAX_HELLO))
    return Lifeline(-1, directory, level, tls, attached=True)


def open_lifeline() -> Lifeline:
    """Takes what the process was given, and clears the environment of it."""
    number = os.environ.pop(FD, "")
    socket_dir = os.environ.pop(SOCKET_DIR, "")
    majors = os.environ.get("PLUGIN_PROTOCOL_VERSIONS", str(MAJOR)).split(",")
    for name in [n for n in os.environ if n.startswith("PLUGIN_") or n == COOKIE]:
        del os.environ[name]
    if os.environ.get(GC) == GC_VALUE:
        del os.environ[GC]
    if not number.isdigit() or int(number) < 3:
        raise StartError('the host gave no lifeline: remove `tls = "auto"` from the manifest; plugins in Python need Linux or macOS')
    if str(MAJOR) not in [m.strip() for m in majors]:
        raise StartError(f"the host speaks version {','.join(majors)} of the contract, this flavor version {MAJOR}")
    if not os.path.isdir(socket_dir):
        raise StartError("the host named no directory for the socket")
    fd = int(number)
    try:
        os.set_inheritable(fd, False)
        os.set_blocking(fd, False)
    except OSError as e:
        raise StartError(f"the descriptor {fd} of {FD}: {e}") from None
    level, keys = _hello(_line(fd))
    return Lifeline(fd, socket_dir, level, keys)


def _hello(line: bytes) -> tuple[str, TLS | None]:
    """The log level and the keys of a hello."""
    try:
        hello = json.loads(line)
        if not isinstance(hello, dict):
            raise ValueError
    except ValueError:
        # The decoder's message could quote a key.
        raise StartError("the hello is no JSON object of the expected form") from None
    if hello.get("lifeline") != VERSION:
        raise StartError(f"the host speaks version {hello.get('lifeline')} of the lifeline protocol, this plugin version {VERSION}")
    tls = hello.get("tls")
    if not isinstance(tls, dict) and not hello.get("insecure"):
        raise StartError("the host sent neither a key nor a certificate")
    try:
        keys = TLS(*(tls[n].encode() for n in ("cert", "key", "peer"))) if isinstance(tls, dict) else None
    except (KeyError, AttributeError):
        raise StartError("the hello lacks a part of its key pair") from None
    return str(hello.get("log_level") or "info"), keys


def _line(fd: int) -> bytes:
    end = time.monotonic() + HELLO
    line = b""
    while not line.endswith(b"\n"):
        if not select.select([fd], [], [], max(0.0, end - time.monotonic()))[0]:
            raise StartError(f"the host sent no hello within {HELLO:g} s")
        # Byte by byte behind the first piece is not needed: what follows the hello
        # belongs to a later version of the protocol, and is skipped.
        part = os.read(fd, MAX_HELLO)
        if not part:
            raise StartError("the lifeline ended before the hello")
        line += part
        if b"\n" in line:
            line = line[: line.index(b"\n") + 1]
        elif len(line) > MAX_HELLO:
            raise StartError(f"the hello is longer than {MAX_HELLO} bytes")
    return line


def der(pem: bytes) -> bytes:
    """The bytes of the first certificate of a PEM text."""
    m = re.search(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", pem, re.S)
    return base64.b64decode(m.group(1)) if m else b""
