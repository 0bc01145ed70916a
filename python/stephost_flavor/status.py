"""What a flavor says about a job: phases, classes, status, handles, scopes."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime


class Phase(enum.IntEnum):
    """Phase of a job. The last four are terminal.

    UNSPECIFIED means "no news": the SDK keeps the last one and shows the native
    state. A job goes back from RUNNING to PROVISIONING only with one more restart.
    """

    UNSPECIFIED = 0
    QUEUED = 1
    PROVISIONING = 2
    RUNNING = 3
    CANCELLING = 4
    SUCCEEDED = 5
    FAILED = 6
    CANCELLED = 7
    LOST = 8
    """It is certain that the job existed, and no verdict can be had."""

    @property
    def terminal(self) -> bool:
        """Whether the job is over."""
        return Phase.SUCCEEDED <= self <= Phase.LOST


class Class(enum.IntEnum):
    """Whose matter a failure is; it decides about retries."""

    UNSPECIFIED = 0
    USER = 1
    CONFIG = 2
    CAPACITY = 3
    PREEMPTED = 4
    SYSTEM = 5
    TIMEOUT = 6
    CANCELLED = 7
    LOST = 8
    AUTH = 9


@dataclass(frozen=True)
class Output:
    """Output that the step left."""

    name: str
    location: str
    """A path on the host's machine, or a URI. An output whose name or location is no
    UTF-8 is left out, and the message says so."""
    bytes: int = -1
    """-1 = unknown."""


@dataclass
class OutputFile:
    """One file of an output."""

    name: str = ""
    """Relative to the location, with "/" between directories; "" where the location
    itself is the file."""
    bytes: int = -1
    """The size of the whole file; -1 = unknown."""
    version: str = ""
    """Changes with the content, for example an entity tag; "" = unknown."""
    modified_at: datetime | float | None = None


@dataclass
class Status:
    """Status of a job as the backend tells it. Times need a time zone."""

    phase: Phase
    reason: str = ""
    """A word for programs, for example "ImagePullBackOff"."""
    message: str = ""
    """The same for a person, at most 1 KiB."""
    native_state: str = ""
    """The backend's own word."""
    restarts: int = 0
    """Starts beyond the first that the backend made by itself."""
    observed_at: datetime | None = None
    """When the backend was asked; None = now."""
    phase_since: datetime | None = None
    """By the backend's own clock."""
    url: str = ""

    # The rest counts with a terminal phase only.

    class_: Class = Class.UNSPECIFIED
    """Of the failure. When unspecified: USER with a known exit code other than
    0, else SYSTEM; CANCELLED and LOST follow from the phase."""
    exit_code: int | None = None
    """Of the step's process, 0 to 255; None = unknown. Another one is put into the
    message."""
    signal: str = ""
    """That ended the process, for example "SIGKILL"."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    outputs: list[Output] = field(default_factory=list)


@dataclass(frozen=True)
class Scope:
    """The place that was asked. Two are the same exactly if their ids are equal."""

    id: str
    """Canonical and stable, for example "aws:123456789012:eu-west-1"; at most
    1 KiB; no secrets."""
    display: str = ""
    """The same for a person."""

    def __str__(self) -> str:
        return self.display or self.id or "an unknown scope"


@dataclass
class Handle:
    """All that is needed, with the scope, to find the job again."""

    data: bytes
    """Opaque to the host, at most 16 KiB, without secrets."""
    version: int = 1
    """Of the format of data; the manifest lists the ones that the flavor reads."""

    existing: bool = False
    """In the answer of submit: the key was already in use by this very request."""
    native_name: str = ""
    """In the answers of submit and find: the job's name in the backend's words."""
    url: str = ""
    key: str = ""
    """The attempt's key; filled by the SDK on the way in."""
    scope: Scope = Scope("")
    """The stored scope; filled by the SDK on the way in."""


@dataclass(frozen=True)
class CancelOptions:
    """How cancel is to end the job."""

    grace: float = 0.0
    """Seconds between the polite request to end and the hard one."""
    force: bool = False
    """The hard end at once, where the backend can."""


@dataclass(frozen=True)
class Query:
    """What find looks for: a key or a run token (then all attempts)."""

    key: str = ""
    token: str = ""


@dataclass
class Job:
    """A job that find found."""

    handle: Handle
    """With native_name and url; key when it is known."""
    attempt: int = 0
    request_digest: str = ""
    """As it was given to submit; "" where the backend has no field that cannot
    change."""
    incomplete: bool = False
    """submit with the same key must finish it."""
    phase: Phase = Phase.UNSPECIFIED
    created_at: datetime | None = None
    run_id: str = ""


@dataclass
class Found:
    """The answer of find. No jobs and undetermined = False means ABSENT: the
    backend was asked and holds no such job now."""

    jobs: list[Job] = field(default_factory=list)
    undetermined: bool = False
    """The answer may change by itself (late listing)."""
    ask_again_after: float = 0.0
    """Seconds; goes with undetermined. 0 = the host's own pace."""


@dataclass
class Plan:
    """The native request that submit would send."""

    request: str
    format: str = "text"
    """"yaml", "json" or "text"."""
    notes: list[str] = field(default_factory=list)
    """Choices made, one line each: "gpu 1 x t4 -> ml.g4dn.xlarge"."""


@dataclass
class Prepared:
    """The answer of prepare."""

    data: bytes = b""
    """Opaque, at most 1 MiB, without secrets; submit gets it as step.prepared."""
    resources: list[str] = field(default_factory=list)
    """Shared things that were made or found, for the record."""


class What(enum.Enum):
    """What cleanup removes."""

    LEFTOVERS = 1
    """Secrets and staged objects."""
    RECORD = 2
    """The job object itself."""
