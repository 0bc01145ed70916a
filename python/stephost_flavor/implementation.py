"""A flavor as the server sees it: sessions with a decoded config, whose methods
may be absent."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, Protocol

from . import values
from ._proto import operator_pb2 as pb
from .interface import Remote
from .logwriter import LogRequest, LogWriter
from .manifest import Manifest, ManifestError, agree
from .status import CancelOptions, Found, Handle, OutputFile, Query, Scope, Status, What
from .step import Step

CAPABILITIES = {
    "cancel": "cancel",
    "find": "find",
    "logs": "logs",
    "plan": "plan",
    "prepare": "prepare",
    "preflight": "preflight",
    "cleanup": "cleanup",
    "registry_auth": "registry_auth",
    "read_output": "open_output",
}
"""Capability and the method behind it."""


class Session:
    """An implementation with one decoded config. None = the method is absent."""

    submit: Callable[[Step], Handle]
    status: Callable[[Handle], Status]
    cancel: Callable[[Handle, CancelOptions], None]
    find: Callable[[Query], Found] | None = None
    logs: Callable[[Handle, LogRequest, LogWriter], None] | None = None
    plan: Callable[[Step, bool], Any] | None = None
    prepare: Callable[[Step, Callable[[str], None]], Any] | None = None
    preflight: Callable[[Step | None], None] | None = None
    validate: Callable[[Step | None], None] | None = None
    cleanup: Callable[[Handle, What], None] | None = None
    registry_auth: Callable[[Any], Any] | None = None
    output_files: Callable[[Handle, str], Iterable[OutputFile]] | None = None
    open_output: Callable[[Handle, str, str, int], tuple[OutputFile, BinaryIO]] | None = None
    scope: Callable[[], Scope] | None = None
    watch: Callable[[Handle], Iterator[Status]] | None = None

    def __init__(self, config: Any, settings: type | None) -> None:
        self.config = config
        self._settings = settings

    def fill(self, step: Step, settings: pb.Values) -> None:
        """Gives the step its decoded config and settings."""
        step.config = self.config
        step.settings = values.decode(settings, "settings", self._settings)


class Implementation(Protocol):
    """A flavor of either kind."""

    def check(self, m: Manifest) -> None:
        """Compares the implementation with its manifest."""

    def open(self, config: pb.Values) -> Session:
        """Decodes the config of one call."""

    def close(self, limit: float) -> None:
        """Ends what it runs in this process, within limit seconds."""

    def on_change(self, changed: Callable[[str], None]) -> None:
        """Calls changed with a key, from any thread, when that job has news."""


class RemoteImplementation:
    """An Implementation of a Remote."""

    def __init__(self, flavor: Remote) -> None:
        self.flavor = flavor

    def check(self, m: Manifest) -> None:
        plain_methods(self.flavor, {*CAPABILITIES.values(), "output_files", "submit", "status", "scope", "validate", "watch"})
        if self.has("open_output") != self.has("output_files"):
            raise ManifestError("open_output and output_files go together: the class has one of them")
        values.check(self.flavor.Config, m.config, "config")
        values.check(self.flavor.Settings, m.settings, "settings")
        agree(m, {c: self.has(name) for c, name in CAPABILITIES.items()}, CAPABILITIES, all=True)

    def has(self, name: str) -> bool:
        return callable(getattr(self.flavor, name, None))

    def open(self, config: pb.Values) -> Session:
        f: Any = self.flavor
        c = values.decode(config, "config", f.Config)
        s = Session(c, f.Settings)
        s.submit = lambda step: f.submit(c, step)
        s.status = lambda h: f.status(c, h)
        s.cancel = lambda h, o: f.cancel(c, h, o)
        if self.has("find"):
            s.find = lambda q: f.find(c, q)
        if self.has("logs"):
            s.logs = lambda h, r, w: f.logs(c, h, r, w)
        if self.has("plan"):
            s.plan = lambda step, online: f.plan(c, step, online)
        if self.has("prepare"):
            s.prepare = lambda step, progress: f.prepare(c, step, progress)
        if self.has("preflight"):
            s.preflight = lambda step: f.preflight(c, step)
        if self.has("validate"):
            s.validate = lambda step: f.validate(c, step)
        if self.has("cleanup"):
            s.cleanup = lambda h, what: f.cleanup(c, h, what)
        if self.has("registry_auth"):
            s.registry_auth = lambda r: f.registry_auth(c, r)
        if self.has("open_output"):
            s.output_files = lambda h, at: f.output_files(c, h, at)
            s.open_output = lambda h, at, name, offset: f.open_output(c, h, at, name, offset)
        if self.has("scope"):
            s.scope = lambda: f.scope(c)
        if self.has("watch"):
            s.watch = lambda h: f.watch(c, h)
        return s

    def close(self, limit: float) -> None:
        pass

    def on_change(self, changed: Callable[[str], None]) -> None:
        pass


def plain_methods(flavor: object, names: set[str]) -> None:
    """Refuses async methods: their answers would be coroutines, at launch."""
    for name in sorted(names):
        f = getattr(flavor, name, None)
        if inspect.iscoroutinefunction(f) or inspect.isasyncgenfunction(f):
            raise ManifestError(f"{type(flavor).__name__}.{name} is async: write it as a plain function, the SDK calls it in a thread")


def implementation_of(flavor: object) -> Implementation:
    """Makes an Implementation of an author's object."""
    from .interface import Launcher
    from .launcher import LauncherImplementation

    if isinstance(flavor, Launcher):
        return LauncherImplementation(flavor)
    if isinstance(flavor, Remote):
        return RemoteImplementation(flavor)
    raise TypeError(f"{flavor!r} is neither a Launcher nor a Remote")
