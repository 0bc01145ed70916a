from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from stephost_flavor import Class, Launcher, LaunchStep, Phase, Status, Step, errors, launcher_job
from stephost_flavor._proto import operator_pb2 as pb
from stephost_flavor.launcher import LauncherImplementation
from stephost_flavor.limits import LAUNCH_DELAY
from stephost_flavor.launcher_job import begin, status_from_disk, write_end


def step(run_dir: Path, digest: str = "d") -> Step:
    return Step(run_id="r", token="t", key="k" * 26, attempt=2, argv=["true"], run_dir=str(run_dir), request_digest=digest)


def nothing() -> None:
    pass


class Noted(Launcher):
    def __init__(self) -> None:
        self.began = threading.Event()

    def launch(self, step: LaunchStep) -> None:
        self.began.set()


def test_answers_first(tmp_path: Path) -> None:
    """A step that ends its process must not take the answer of submit with it: it
    begins when a call with its handle has come, or a moment later."""
    flavor = Noted()
    session = LauncherImplementation(flavor).open(pb.Values(json=b"{}"))
    assert session.submit is not None and session.status is not None
    at = time.monotonic()
    handle = session.submit(step(tmp_path))
    assert not flavor.began.wait(0.05)
    handle.key = "k" * 26
    session.status(handle)
    assert flavor.began.wait(30) and time.monotonic() - at < LAUNCH_DELAY

    flavor.began.clear()
    session.submit(replace(step(tmp_path), key="j" * 26))
    assert flavor.began.wait(30), "also where nobody asks"


def test_what_ends_first_never_begins(tmp_path: Path) -> None:
    flavor = Noted()
    implementation = LauncherImplementation(flavor)
    session = implementation.open(pb.Values(json=b"{}"))
    assert session.submit is not None and session.status is not None
    handle = session.submit(step(tmp_path))
    handle.key = "k" * 26
    implementation.close(30)
    assert session.status(handle).phase == Phase.LOST
    assert not flavor.began.is_set()


def test_never_started_twice(tmp_path: Path) -> None:
    job, existing = begin(step(tmp_path), nothing)
    assert not existing
    # Another process asks while the step runs: only the first one can tell.
    other, existing = begin(step(tmp_path), nothing)
    assert existing and other.existing("d").data == job.handle().data
    assert json.loads(other.handle().data)["attempt"] == 2
    with pytest.raises(errors.Rejected):
        other.existing("another request")
    with pytest.raises(errors.Unreachable):
        status_from_disk(job.dir)
    # Its process is gone, as far as the lock tells: LOST, and still not started.
    job.lock.release()
    assert status_from_disk(job.dir).phase == Phase.LOST
    assert begin(step(tmp_path), nothing)[1]
    # A torn mark is a mark as well.
    Path(job.dir, "started").write_text('{"run')
    assert begin(step(tmp_path, "other"), nothing)[1]


@pytest.mark.parametrize("status", [Status(Phase.SUCCEEDED, exit_code=0), Status(Phase.FAILED, class_=Class.USER, signal="SIGKILL", message="é")])
def test_verdict_stays(tmp_path: Path, status: Status) -> None:
    job, _ = begin(step(tmp_path), nothing)
    write_end(job.dir, status)
    job.lock.release()
    assert status_from_disk(job.dir) == status
    assert sorted(os.listdir(job.dir)) == ["end.json", "lock", "started", "stderr", "stdout"]
    Path(job.dir, "end.json").write_text("{")
    with pytest.raises(errors.System):
        status_from_disk(job.dir)


@pytest.mark.parametrize(
    ("error", "asked", "expired", "ending", "phase", "class_"),
    [
        (None, False, False, False, Phase.SUCCEEDED, Class.UNSPECIFIED),
        (None, True, False, False, Phase.SUCCEEDED, Class.UNSPECIFIED),
        (errors.User(3), False, False, False, Phase.FAILED, Class.USER),
        (errors.Cancelled("x"), True, False, False, Phase.CANCELLED, Class.CANCELLED),
        (errors.Cancelled("x"), False, True, False, Phase.FAILED, Class.TIMEOUT),
        (errors.Cancelled("x"), False, False, True, Phase.LOST, Class.LOST),
        (None, False, False, True, Phase.LOST, Class.LOST),
        (ValueError("x"), False, False, False, Phase.FAILED, Class.SYSTEM),
        (errors.Capacity("x"), False, False, False, Phase.FAILED, Class.CAPACITY),
    ],
)
def test_verdicts(tmp_path: Path, error: Exception | None, asked: bool, expired: bool, ending: bool, phase: Phase, class_: Class) -> None:
    job, _ = begin(step(tmp_path), nothing)
    job.started()
    job.report("half", "", Phase.QUEUED)
    assert (job.status().phase, job.status().message) == (Phase.RUNNING, "half"), "never backwards"
    if asked:
        job.stop()
        assert job.status().phase == Phase.CANCELLING
    if expired:
        job.expire()
    if ending:
        job.stop(quiet=True)
    job.finish(error, ending)
    assert (job.status().phase, job.status().class_) == (phase, class_)
    job.report("late", "", Phase.RUNNING)
    assert job.status().phase == phase
    on_disk = status_from_disk(job.dir)
    assert on_disk.phase == phase


def test_remove(tmp_path: Path) -> None:
    job, _ = begin(step(tmp_path), nothing)
    job.finish(None, False)
    launcher_job.remove(job.dir)
    launcher_job.remove(job.dir)
    with pytest.raises(errors.System):
        launcher_job.remove(str(tmp_path))
    assert tmp_path.exists()
