"""One step of a Launcher, and what of it lies on disk.

In <run_dir>/launch-<key>:

    lock       locked while the process that runs the step lives
    started    made with O_EXCL before the step begins: who finds it never starts
               the step again
    end.json   the verdict, in place as a whole or not at all
    stdout, stderr
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import convert, errors
from .launcher_logs import LogFile
from .limits import MAX_TEXT
from .locks import Lock
from .status import Class, Handle, Phase, Status
from .step import Cancellation, Step

PREFIX = "launch-"


@dataclass
class Meta:
    """The content of `started`."""

    run_id: str = ""
    token: str = ""
    attempt: int = 0
    request_digest: str = ""
    started: float = 0.0

    @property
    def started_at(self) -> datetime | None:
        return _time(self.started)


def _time(t: float | None) -> datetime | None:
    return datetime.fromtimestamp(t, timezone.utc) if t else None


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class Job:
    """A step in this process. Safe for concurrent use."""

    dir: str
    meta: Meta
    lock: Lock
    changed: Callable[[], None]
    cancelled: Cancellation = field(default_factory=Cancellation)
    """Ends the step, for whatever reason."""
    done: threading.Event = field(default_factory=threading.Event)
    answered: threading.Event = field(default_factory=threading.Event)
    """The host has the job's handle, or there is no reason to wait for that."""

    def __post_init__(self) -> None:
        self._mu = threading.Lock()
        self._status = Status(Phase.QUEUED)
        self._cancel_asked = False
        self._expired = False
        self.stdout: LogFile
        self.stderr: LogFile

    def handle(self) -> Handle:
        data = json.dumps({"dir": self.dir, "attempt": self.meta.attempt}, separators=(",", ":"))
        return Handle(data.encode(), native_name=os.path.basename(self.dir))

    def existing(self, digest: str) -> Handle:
        """Answers a further submit of the same key."""
        if self.meta.request_digest and digest and self.meta.request_digest != digest:
            raise errors.Rejected(errors.Config("", "the key is in use by another request"))
        h = self.handle()
        h.existing = True
        return h

    def status(self) -> Status:
        with self._mu:
            return self._status

    def _set(self, **change: Any) -> None:
        """Replaces the status; readers keep the one that they have."""
        self._status = Status(**{**{f: getattr(self._status, f) for f in Status.__dataclass_fields__}, **change})
        self.changed()

    def started(self) -> None:
        with self._mu:
            if self._status.phase == Phase.QUEUED:
                now = _now()
                self._set(phase=Phase.RUNNING, started_at=now, phase_since=now)

    def report(self, message: str, reason: str, phase: Phase) -> None:
        """Shows a line; the phase goes forward only, and never to an end."""
        with self._mu:
            s = self._status
            if s.phase.terminal:
                return
            if phase.terminal or phase < s.phase:
                phase = s.phase
            since = s.phase_since if phase == s.phase else _now()
            self._set(message=convert.bound(message, MAX_TEXT), reason=reason, phase=phase, phase_since=since)

    def stop(self, quiet: bool = False) -> None:
        """Ends the step. The status says so until launch has returned."""
        with self._mu:
            if not quiet and not self._cancel_asked and not self._status.phase.terminal:
                self._cancel_asked = True
                self._set(phase=Phase.CANCELLING, phase_since=_now())
        self.cancelled.set()
        self.answered.set()

    def expire(self) -> None:
        """The step's own time limit is over."""
        self._expired = True
        self.cancelled.set()

    def finish(self, error: BaseException | None, ending: bool) -> None:
        """Stores the verdict. A step that was ended because the process ends has
        none: whoever asks later finds the mark without an end, and that is LOST."""
        self.stdout.close()
        self.stderr.close()
        with self._mu:
            st = self._verdict(error, ending)
            st.started_at, st.ended_at = self._status.started_at, _now()
            if st.phase != Phase.LOST:
                try:
                    write_end(self.dir, st)
                except OSError:
                    pass  # this process knows it still, and another one says LOST
            self._status = st
            self.lock.release()
            self.done.set()
        self.changed()

    def _verdict(self, error: BaseException | None, ending: bool) -> Status:
        if error is None and not (ending and self.cancelled.is_set()):
            return Status(Phase.SUCCEEDED, exit_code=0)
        text = convert.bound(convert.text_of(error), MAX_TEXT) if error is not None else ""
        if self._cancel_asked:
            return Status(Phase.CANCELLED, message=text, class_=Class.CANCELLED)
        if ending:
            return Status(Phase.LOST, message="the plugin process ended", class_=Class.LOST)
        if self._expired:
            return Status(Phase.FAILED, message=text, class_=Class.TIMEOUT, reason="RunDeadline")
        st = Status(Phase.FAILED, message=text, class_=errors.class_of(error) if error else Class.SYSTEM)
        e = errors.find(error) if error else None
        if e is not None:
            st.exit_code, st.signal = e.exit_code, e.signal
        return st


def begin(step: Step, changed: Callable[[], None]) -> tuple[Job, bool]:
    """Takes the job's directory. True = the step was started before, perhaps by a
    process that is gone."""
    try:
        if step.run_dir:
            directory = os.path.join(step.run_dir, PREFIX + step.key)
            os.makedirs(directory, mode=0o700, exist_ok=True)
        else:
            # A predictable name in a shared directory could be somebody else's.
            directory = tempfile.mkdtemp(prefix=f"stephost-{PREFIX}{step.key}-")
        lock = Lock(os.path.join(directory, "lock"))
        mine = lock.try_acquire()
        meta = Meta(step.run_id, step.token, step.attempt, step.request_digest, _now().timestamp())
        job = Job(directory, meta, lock, changed)
        if not mine or not _mark(job):
            lock.release()
            job.meta = _read_mark(directory)
            job.meta.attempt = job.meta.attempt or step.attempt
            return job, True
    except OSError as e:
        raise errors.Rejected(errors.System(f"the run's directory cannot be used: {e}")) from e
    try:
        job.stdout = LogFile(os.path.join(directory, "stdout"))
        job.stderr = LogFile(os.path.join(directory, "stderr"))
    except OSError as e:
        # Not REJECTED: the mark says "started" from here on.
        lock.release()
        raise errors.System(e) from e
    return job, False


def _mark(job: Job) -> bool:
    try:
        fd = os.open(os.path.join(job.dir, "started"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(fd, "w", encoding="utf-8") as f:
        json.dump(asdict(job.meta), f)
        f.flush()
        os.fsync(f.fileno())
    return True


def _read_mark(directory: str) -> Meta:
    try:
        with open(os.path.join(directory, "started"), encoding="utf-8") as f:
            return Meta(**json.load(f))
    except (OSError, ValueError, TypeError):
        return Meta()  # a torn file is a mark as well; its digest is unknown


_TIMES = ("observed_at", "phase_since", "started_at", "ended_at")


def write_end(directory: str, st: Status) -> None:
    """Writes the verdict."""
    data = asdict(st)
    for name in _TIMES:
        data[name] = data[name].timestamp() if data[name] else None
    fd, path = tempfile.mkstemp(prefix="end.json.", dir=directory)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as f:
            json.dump(data, f)
            f.flush()
            os.fsync(f.fileno())
        os.replace(path, os.path.join(directory, "end.json"))
    except BaseException:
        os.unlink(path)
        raise


def _read_end(directory: str) -> Status | None:
    try:
        text = Path(directory, "end.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as e:
        raise errors.Unreachable(e) from e
    try:
        data = json.loads(text)
        for name in _TIMES:
            data[name] = _time(data[name])
        data["phase"], data["class_"] = Phase(data["phase"]), Class(data["class_"])
        data["outputs"] = []
        return Status(**data)
    except (ValueError, KeyError, TypeError) as e:
        raise errors.System("the stored verdict cannot be read") from e


def status_from_disk(directory: str) -> Status:
    """Judges a job that this process does not run."""
    # Twice: the verdict may be written between the looks at it and at the lock.
    for _ in range(2):
        st = _read_end(directory)
        if st is not None:
            return st
        path = os.path.join(directory, "lock")
        if not os.path.exists(path):
            break
        lock = Lock(path)
        try:
            if not lock.try_acquire():
                raise errors.Unreachable("the step runs in another plugin process of this machine; only that one can tell about it")
        except OSError as e:
            raise errors.Unreachable(e) from e
        lock.release()
    return Status(
        Phase.LOST,
        reason="PluginEnded",
        message="the step ran inside a plugin process that has ended; a flavor of the kind Launcher cannot survive that",
        class_=Class.LOST,
    )


def remove(directory: str) -> None:
    """Removes a job's directory, and nothing that is none."""
    if PREFIX not in Path(directory).name:
        raise errors.System(f"{directory} is no directory of a step")
    if os.path.exists(directory):
        shutil.rmtree(directory)
