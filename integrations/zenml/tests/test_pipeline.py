"""Real pipelines, each in a process of its own, whose training step goes through stephost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from zenml.client import Client

import stephost


class Pipeline:
    def __init__(self, place: Path) -> None:
        self.place = place
        shutil.copy(Path(__file__).parent / "pipe.py", place)
        self.witness, self.gate = place / "witness", place / "gate"

    def start(self, **env: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "pipe.py"],
            cwd=self.place,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env={**os.environ, "WITNESS": str(self.witness), **env},
        )

    def run(self, **env: str) -> "tuple[int, str]":
        p = self.start(**env)
        out, _ = p.communicate(timeout=240)
        return p.returncode, out

    def trained(self) -> "list[int]":
        return [int(pid) for pid in self.witness.read_text().split()] if self.witness.exists() else []

    def until_trained(self, p: "subprocess.Popen[str]") -> int:
        deadline = time.monotonic() + 200
        while not (self.witness.exists() and self.witness.read_text().endswith("\n")):
            assert p.poll() is None, p.communicate()[0]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return self.trained()[-1]


@pytest.fixture
def pipe(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path)


def last_step() -> Any:
    """The newest run of the training step, as ZenML's store has it."""
    client = Client()
    found = client.list_run_steps(name="train", sort_by="desc:created", size=1)
    return client.get_run_step(found.items[0].id)


def last_run() -> "dict[str, Any]":
    return stephost.runs.list()[0]


def test_it_trains(pipe: Pipeline) -> None:
    code, out = pipe.run()
    assert code == 0, out
    assert "REPORT 42" in out and "training with 20" in out, "its log is seen while it runs"
    step, run = last_step(), last_run()
    assert str(step.status) == "completed"
    assert step.run_metadata["stephost_run"] == run["run"]
    assert run["verdict"]["class"] == "succeeded" and run["pipeline"] == "digits" and run["step"] == "train"
    assert run["token"] == f"zenml/{step.id}"
    assert len(pipe.trained()) == 1
    stores = Path(os.environ["ZENML_CONFIG_PATH"]) / "local_stores"
    assert any("training with 20" in f.read_text() for f in stores.rglob("*.log")), "ZenML has the step's log, too"


def test_a_failing_step_says_why(pipe: Pipeline) -> None:
    code, out = pipe.run(FAIL="1")
    assert code == 1
    assert "ValueError: no convergence" in out and "class user, exit code 1" in out
    assert str(last_step().status) == "failed"
    assert len(pipe.trained()) == 1


def test_a_lost_machine_says_why(pipe: Pipeline) -> None:
    code, out = pipe.run(OPERATOR="fault", STACK="fault", FAULTS='{"preempt_after_ms": 1}', GATE="/nowhere/ever")
    assert code == 1 and "class preempted" in out, out
    assert str(last_step().status) == "failed"


def test_ctrl_c_cancels(pipe: Pipeline) -> None:
    p = pipe.start(GATE=str(pipe.gate), OPERATOR="fault", STACK="fault")
    job = pipe.until_trained(p)
    os.killpg(p.pid, signal.SIGINT)
    out, _ = p.communicate(timeout=120)
    assert p.returncode != 0, out
    assert last_run()["verdict"]["class"] == "cancelled", out
    with pytest.raises(ProcessLookupError):
        os.kill(job, 0)
    assert str(last_step().status) in ("stopped", "cancelled", "failed", "stopping")
    assert "REPORT" not in out


@pytest.mark.parametrize("finished", [False, True], ids=["running", "finished meanwhile"])
def test_a_killed_client_does_not_train_twice(pipe: Pipeline, finished: bool) -> None:
    p = pipe.start(GATE=str(pipe.gate))
    pipe.until_trained(p)
    os.killpg(p.pid, signal.SIGKILL)
    p.communicate()
    run = last_run()
    assert "verdict" not in run
    if finished:
        pipe.gate.touch()
        assert stephost.runs.wait(run["run"]).succeeded
    p = pipe.start(GATE=str(pipe.gate))
    if not finished:
        deadline = time.monotonic() + 200
        while Client().list_run_steps(name="train").total < 2 or "stephost_continues" not in last_step().run_metadata:
            assert p.poll() is None and time.monotonic() < deadline
            time.sleep(0.5)
        pipe.gate.touch()
    out, _ = p.communicate(timeout=240)
    assert p.returncode == 0, out
    assert "REPORT 42" in out
    assert len(pipe.trained()) == 1, "it trained once"
    assert last_run()["run"] == run["run"]
    assert str(last_step().status) == "completed"


def test_status_and_cancel_from_another_process(pipe: Pipeline) -> None:
    """What ZenML's dynamic runner calls since 0.94: a component made from its model."""
    from zenml.stack import Stack, StackComponent

    p = pipe.start(GATE=str(pipe.gate))
    job = pipe.until_trained(p)
    step = last_step()
    operator = Stack.from_model(Client().active_stack_model).step_operator
    assert isinstance(operator, StackComponent)
    assert str(operator.get_status(step)) == "running"
    operator.cancel(step)
    assert str(operator.get_status(step)) == "cancelled"
    with pytest.raises(ProcessLookupError):
        os.kill(job, 0)
    out, _ = p.communicate(timeout=120)
    assert p.returncode != 0 and "REPORT" not in out
