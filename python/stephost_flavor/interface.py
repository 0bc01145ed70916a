"""What the author of a flavor writes: one class.

All methods are plain functions (not async), called from several threads at once,
for several operators.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from .status import CancelOptions, Handle, Status
from .step import LaunchStep, Secret, Step


class Launcher(ABC):
    """The small kind: launch runs the step and returns when it is over.

    Everything lives in the plugin process, so a run is lost with it; use Remote
    where a run must outlive the host. Optional methods:

        def slots(self, config) -> int        how many steps of this config run at
                                              once; the others wait, queued
        def validate(self, config, step)      see Remote
    """

    Config: ClassVar[type | None] = None
    """A dataclass with one field per config attribute; None = Values."""
    Settings: ClassVar[type | None] = None
    """A dataclass with one field per setting; None = Values."""

    @abstractmethod
    def launch(self, step: LaunchStep) -> None:
        """Runs the step: step.run() is the usual body.

        Returning is success; User is the step's own failure; any other exception
        is a failure of class SYSTEM, or of the class that it carries. When
        step.cancelled is set, end the step and return or raise. Write the step's
        output to step.stdout and step.stderr."""


class Remote(ABC):
    """The kind whose jobs outlive the plugin process. Recovery, adoption, retries
    and bounded waits come from the SDK and the host.

    Optional methods, found by name; the manifest's capabilities must agree:

        def find(self, config, query: Query) -> Found                     "find"
        def logs(self, config, handle, request: LogRequest, out: LogWriter) -> None   "logs"
            Writes, for each source, everything behind request.cursor(source).
            With request.follow it returns when the job is over and every byte was
            written; else when it has written what is there. An exception means
            "could not ask": the SDK calls it again from the last cursors.
        def plan(self, config, step, online: bool) -> Plan                "plan"
        def prepare(self, config, step, progress) -> Prepared             "prepare"
        def preflight(self, config, step or None) -> None                 "preflight"
        def cleanup(self, config, handle, what: What) -> None             "cleanup"
        def registry_auth(self, config, request: RegistryRequest) -> RegistryCredentials   "registry_auth"
        def output_files(self, config, handle, location: str) -> Iterable[OutputFile]      "read_output"
        def open_output(self, config, handle, location, name, offset) -> tuple[OutputFile, BinaryIO]
            Both read what a step left, at a location that a terminal Status listed,
            where the host has no access. open_output opens the file of a listed
            name at an offset; the SDK reads, compares versions, and takes an early
            end for "could not ask". Config refuses a location that is none of the
            job's, NoOutput and OutputRange say what is not there.
        def validate(self, config, step or None) -> None
            Checks that HCL cannot express, without network; raises Config,
            warning(...) or Several.
        def scope(self, config) -> Scope
            Which account, cluster or machine is asked. Compared with the stored
            scope before any answer is passed on. Without it: a digest of config.
        def watch(self, config, handle) -> Iterator[Status]
            Replaces polling; ends after a terminal status.

    A Config with the method `set_project(self, name: str)` is told the project of
    each call, "" where there is none, when it was decoded: for names at the backend
    that are made of it. See Step.project for what a name may be.
    """

    Config: ClassVar[type | None] = None
    Settings: ClassVar[type | None] = None

    @abstractmethod
    def submit(self, config: Any, step: Step) -> Handle:
        """Makes ONE creating call, bounded to 60 s, idempotent on step.key where
        the manifest says idempotency = "key". Rejected(...) says that the backend
        certainly holds nothing for the key; every other exception leaves it open
        (UNCERTAIN)."""

    @abstractmethod
    def status(self, config: Any, handle: Handle) -> Status:
        """Reads the job; callable at any time, also after the end. An exception
        means "could not ask" and is retried. A job that is certainly gone is
        Status(Phase.LOST), not an exception."""

    @abstractmethod
    def cancel(self, config: Any, handle: Handle, options: CancelOptions) -> None:
        """Asks the backend to end the job and returns when it has accepted.
        Idempotent. AlreadyOver when there was nothing to end."""


class RegistryRequest:
    """Names a registry (host and port) and a repository."""

    def __init__(self, registry: str, repository: str, push: bool, create: bool) -> None:
        self.registry, self.repository, self.push, self.create = registry, repository, push, create


class RegistryCredentials:
    """The answer of registry_auth. expires_at: seconds since 1970; None = unknown."""

    def __init__(self, username: str, password: Secret, expires_at: float | None = None, created: bool = False) -> None:
        self.username, self.password, self.expires_at, self.created = username, password, expires_at, created
