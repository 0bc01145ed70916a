"""What to run: the step of one call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import RawIOBase
from typing import TYPE_CHECKING, Any, NoReturn

from .errors import Error
from .status import Phase, Scope

if TYPE_CHECKING:
    import subprocess


class Secret:
    """A value that never prints. reveal() gives it, where it is needed."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value. Keep it out of command lines, logs, errors and names."""
        return self._value

    def __repr__(self) -> str:
        return "(sensitive)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "(sensitive)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not written anywhere")


@dataclass(frozen=True)
class Image:
    """Set where the manifest says environment = ["image"]."""

    reference: str
    """By digest."""
    shim: bool = False
    """Built by stephost, carries /.stephost/init."""


@dataclass(frozen=True)
class Directory:
    """Set where the manifest says environment = ["directory"]."""

    path: str
    """The attempt's own work directory; the plugin may write there."""
    venv: str = ""
    """A virtual environment, or ""."""
    python: str = ""
    """Absolute, or ""."""


@dataclass(frozen=True)
class SourceRoot:
    """One directory of the step's source, already filtered."""

    path: str
    """A read-only, content-addressed copy on the host's machine."""
    target: str = ""
    """Place below the step's working directory; "" = itself."""
    digest: str = ""
    """SHA-256 of the tree in hex."""


@dataclass(frozen=True)
class Raw:
    """Set where the manifest says environment = ["none"]."""

    requirements: Sequence[str] = ()
    source: Sequence[SourceRoot] = ()


@dataclass(frozen=True)
class Environment:
    """What the host prepared; at most one field is set."""

    image: Image | None = None
    directory: Directory | None = None
    raw: Raw | None = None


@dataclass(frozen=True)
class Resources:
    """What the step asks for; 0 or "" = not asked for."""

    cpu_millis: int = 0
    """Thousandths of a core."""
    memory_bytes: int = 0
    gpu: int = 0
    """Per node."""
    gpu_type: str = ""
    """A canonical name, for example "a10g"."""
    nodes: int = 0
    disk_bytes: int = 0
    shared_memory_bytes: int = 0


@dataclass(frozen=True)
class Deadlines:
    """Seconds to push down to the backend where it can keep them; 0 = none. The
    host keeps them too."""

    provisioning: float = 0.0
    run: float = 0.0


@dataclass
class Step:
    """What to run. It belongs to one call: do not keep it."""

    run_id: str
    token: str
    """Names the run: any string of 1 to 256 bytes. A label, never a name."""
    key: str
    """Idempotency key of this attempt: 26 characters [a-z2-7]. Use it unchanged
    as the name, label or tag of the job."""
    attempt: int
    """Counts from 1."""
    argv: list[str]
    """The process to run, at least one element. It must reach the process
    unchanged: never joined, never through a shell."""
    env: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, Secret] = field(default_factory=dict)
    """Secret environment variables; in prepare, submit and launch only."""
    pipeline: str = ""
    pipeline_run: str = ""
    name: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    environment: Environment = Environment()
    resources: Resources = Resources()
    deadlines: Deadlines = Deadlines()
    config: Any = None
    """The operator's config: an instance of the flavor's Config, else a mapping
    with attributes."""
    settings: Any = None
    """The step's settings, as config with Settings."""
    run_dir: str = ""
    """Directory on the host's machine that belongs to this run and is removed with
    its record. May be "" or absent on another machine."""
    allow_visible_secrets: bool = False
    """The person accepted that readers of the job can see the secrets."""
    operator: str = ""
    """The operator's name, for messages."""
    project: str = ""
    """Name of the project that the step belongs to, "" where there is none: any text
    of at most 256 bytes on one line, perhaps the name of a directory. Fit it to what
    the backend takes. See Remote for calls without a step."""
    scope: Scope = Scope("")
    """The stored scope; empty before it was resolved."""
    prepared: bytes = b""
    """What prepare returned (submit only)."""
    request_digest: str = ""
    """Made by the host (submit only). Store it with the job and compare it when a
    job is found under the key; never compute it."""
    warnings: list[Error] = field(default_factory=list)

    def warn(self, path: str, text: str) -> None:
        """Adds a warning for the person who launched the step, shown with the
        answer of this call. path names the attribute, as in Config, or is ""."""
        warning = Error(text, attribute=path)
        warning.warning = True
        self.warnings.append(warning)

    def environ(self) -> dict[str, str]:
        """env and secrets together, for a backend that keeps them apart from
        what others can read."""
        return {**self.env, **{name: s.reveal() for name, s in self.secrets.items()}}


class Cancellation(threading.Event):
    """An event that also calls back."""

    def __init__(self) -> None:
        super().__init__()
        self.grace: float | None = None
        """Seconds between the polite request to end and the hard one, where whoever
        cancels has said it; may become less while the step is ending."""
        self._mu = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    def then(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls callback, which must not block, when the event is set: at once if
        it is set already. The returned function takes it back."""
        with self._mu:
            if not self.is_set():
                self._callbacks.append(callback)
                return lambda: self._forget(callback)
        callback()
        return lambda: None

    def _forget(self, callback: Callable[[], None]) -> None:
        with self._mu:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

    def set(self) -> None:
        with self._mu:
            super().set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()


@dataclass
class LaunchStep(Step):
    """A step that runs inside the plugin process (Launcher)."""

    stdout: RawIOBase = field(kw_only=True)
    """Feeds the run's log. Writable from several threads; has a fileno, so that
    a subprocess may write to it directly."""
    stderr: RawIOBase = field(kw_only=True)
    cancelled: Cancellation = field(default_factory=Cancellation)
    """Set when the step shall end: cancel, its time limit, the plugin's end."""
    _report: Callable[[str, str, Phase], None] = field(kw_only=True)

    def progress(self, message: str, reason: str = "", phase: Phase = Phase.RUNNING) -> None:
        """Shows a line to whoever watches the run, for example "epoch 3 of 10"."""
        self._report(message, reason, phase)

    def run(
        self,
        argv: Sequence[str] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        grace: float = 5.0,
        on_start: Callable[[subprocess.Popen[bytes]], None] | None = None,
    ) -> None:
        """Runs the step as a child process, by default in its prepared directory
        with its environment, and returns when it succeeded. Raises User with its
        exit code, and Cancelled when it was ended: then with SIGTERM to all of
        its processes, and SIGKILL after the grace of whoever cancels, else grace
        seconds."""
        from .child import run_child

        run_child(self, argv, env=env, cwd=cwd, grace=grace, on_start=on_start)
