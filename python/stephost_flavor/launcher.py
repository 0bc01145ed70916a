"""Makes an Implementation of a Launcher: steps in threads of this process.

Steps live and die with the plugin process. After its death their runs are LOST,
never started a second time: whoever asks finds the mark that they left.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

from . import errors, launcher_job, values
from ._proto import operator_pb2 as pb
from .author import guard
from .implementation import CAPABILITIES, Session, plain_methods
from .interface import Launcher
from .launcher_job import Job
from .launcher_logs import read_logs
from .limits import LAUNCH_DELAY
from .logwriter import LogRequest, LogWriter
from .manifest import Manifest, agree
from .status import CancelOptions, Found, Handle, Query, Scope, Status, What
from .status import Job as FoundJob
from .step import LaunchStep, Step


class LauncherImplementation:
    """Safe for concurrent use."""

    def __init__(self, flavor: Launcher) -> None:
        self.flavor = flavor
        self.ending = threading.Event()
        self._jobs: dict[str, Job] = {}
        self._lock = threading.Lock()
        self._changed: Callable[[str], None] = lambda key: None
        self._slots: dict[str, threading.BoundedSemaphore] = {}

    def check(self, m: Manifest) -> None:
        plain_methods(self.flavor, {"launch", "slots", "validate"})
        values.check(self.flavor.Config, m.config, "config")
        values.check(self.flavor.Settings, m.settings, "settings")
        have = {c: c in ("cancel", "find", "logs", "cleanup") for c in CAPABILITIES}
        agree(m, have, CAPABILITIES, all=False)

    def on_change(self, changed: Callable[[str], None]) -> None:
        self._changed = changed

    def close(self, limit: float) -> None:
        self.ending.set()
        end = time.monotonic() + limit
        with self._lock:
            jobs = list(self._jobs.values())
        for j in jobs:
            j.stop(quiet=True)
        for j in jobs:
            j.done.wait(max(0.0, end - time.monotonic()))

    def open(self, config: pb.Values) -> Session:
        f: Any = self.flavor
        c = values.decode(config, "config", f.Config)
        s = Session(c, f.Settings)
        slots = self._slots_of(c, config)
        s.submit = lambda step: self._submit(step, slots)
        s.status, s.cancel, s.find = self._status, self._cancel, self._find
        s.logs, s.cleanup, s.scope = self._logs, self._cleanup, machine_scope
        if callable(getattr(f, "validate", None)):
            s.validate = lambda step: f.validate(c, step)
        return s

    def _slots_of(self, c: Any, config: pb.Values) -> threading.BoundedSemaphore | None:
        """The semaphore of a config; None = no limit."""
        slots = getattr(self.flavor, "slots", None)
        if not callable(slots):
            return None
        n = int(slots(c))
        if n < 1:
            raise errors.Config("", f"slots is {n}: at least one step must be able to run")
        with self._lock:
            return self._slots.setdefault(f"{n}:{config.json!r}", threading.BoundedSemaphore(n))

    def _submit(self, step: Step, slots: threading.BoundedSemaphore | None) -> Handle:
        """Starts the step unless it was started before, in this process or in one
        that is gone."""
        with self._lock:
            if self.ending.is_set():
                raise errors.Rejected(errors.System("the plugin is ending"))
            j = self._jobs.get(step.key)
            if j is not None:
                return j.existing(step.request_digest)
            j, existing = launcher_job.begin(step, lambda: self._changed(step.key))
            if existing:
                return j.existing(step.request_digest)
            self._jobs[step.key] = j
        job = j
        launch = LaunchStep(
            **{name: getattr(step, name) for name in step.__dataclass_fields__},
            stdout=job.stdout,
            stderr=job.stderr,
            cancelled=job.cancelled,
            _report=job.report,
        )
        context = copy_context()
        threading.Thread(target=context.run, args=(self._run, job, launch, slots), name="launch-" + step.key, daemon=True).start()
        return job.handle()

    def _run(self, job: Job, step: LaunchStep, slots: threading.BoundedSemaphore | None) -> None:
        error: BaseException | None = None
        timer: threading.Timer | None = None
        held = False
        try:
            job.answered.wait(LAUNCH_DELAY)
            if job.cancelled.is_set():
                raise errors.Cancelled("the step was ended before it started")
            if slots is not None:
                while not (held := slots.acquire(timeout=0.1)):
                    if job.cancelled.is_set():
                        raise errors.Cancelled("the step was ended before it started")
            if step.deadlines.run > 0:
                timer = threading.Timer(step.deadlines.run, job.expire)
                timer.daemon = True
                timer.start()
            job.started()
            guard("launch", lambda: self.flavor.launch(step))
        except Exception as e:
            error = e
        finally:
            if timer is not None:
                timer.cancel()
            if slots is not None and held:
                slots.release()
            job.finish(error, self.ending.is_set())

    def _job(self, h: Handle) -> tuple[Job | None, str, int]:
        try:
            data = json.loads(h.data)
            directory, attempt = str(data["dir"]), int(data["attempt"])
        except (ValueError, KeyError, TypeError) as e:
            raise errors.System("the handle cannot be read") from e
        with self._lock:
            job = self._jobs.get(h.key)
        if job is not None:
            job.answered.set()
        return job, directory, attempt

    def _status(self, h: Handle) -> Status:
        j, directory, _ = self._job(h)
        return j.status() if j is not None else launcher_job.status_from_disk(directory)

    def _cancel(self, h: Handle, options: CancelOptions) -> None:
        j, directory, _ = self._job(h)
        if j is None:
            launcher_job.status_from_disk(directory)
            raise errors.AlreadyOver
        if j.status().phase.terminal:
            raise errors.AlreadyOver
        if options.force:
            j.cancelled.grace = 0.0
        elif options.grace > 0 and j.cancelled.grace is None:
            j.cancelled.grace = options.grace
        j.stop()

    def _find(self, q: Query) -> Found:
        """Knows the jobs of this process only. ABSENT is the truth about others: a
        step dies with its process, and submit finds the mark that it left."""
        with self._lock:
            jobs = list(self._jobs.items())
        found = Found()
        for key, j in jobs:
            if (q.key and key == q.key) or (q.token and j.meta.token == q.token):
                h = j.handle()
                h.key = key
                found.jobs.append(
                    FoundJob(h, j.meta.attempt, j.meta.request_digest, phase=j.status().phase, created_at=j.meta.started_at, run_id=j.meta.run_id)
                )
        return found

    def _logs(self, h: Handle, r: LogRequest, w: LogWriter) -> None:
        j, directory, attempt = self._job(h)
        read_logs(j, directory, attempt, r, w)

    def _cleanup(self, h: Handle, what: What) -> None:
        j, directory, _ = self._job(h)
        if what != What.RECORD:
            return
        if j is not None:
            if not j.done.is_set():
                raise errors.Unreachable("the step is still running")
            with self._lock:
                self._jobs.pop(h.key, None)
        launcher_job.remove(directory)


def machine_scope() -> Scope:
    """This machine, as far as a process can name it. Containers of one image share
    a machine id, so the host name belongs to it."""
    name = socket.gethostname()
    try:
        with open("/etc/machine-id", encoding="ascii") as f:
            machine = f.read().strip()
    except FileNotFoundError:
        machine = ""
    return Scope(f"machine:{name}:{machine}", "machine " + name)
