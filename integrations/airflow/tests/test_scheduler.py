"""A real scheduler with the LocalExecutor: it retries by itself a task whose process
was killed, and the retry joins the run that is still there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import stephost

# Three processes that import Airflow, on a machine that tests other things: seconds
# alone, minutes beside them.
PATIENCE = 300


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def scheduler(world: Path) -> Iterator["Callable[[], str]"]:
    """The scheduler, the parser of DAGs and the API that tasks talk to; gives what
    they have said."""
    port = free_port()
    env = {
        **os.environ,
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__API_AUTH__JWT_SECRET": "of the tests, long enough for its algorithm, which wants many bytes",
        "AIRFLOW__API__SECRET_KEY": "of the tests",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    }
    logs: "list[Path]" = []
    all_of_them: "list[subprocess.Popen[bytes]]" = []

    def start(*words: str) -> None:
        logs.append(world / f"{words[0]}.log")
        with open(logs[-1], "wb") as log:
            all_of_them.append(
                subprocess.Popen([sys.executable, "-m", "airflow", *words], env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
            )

    def said() -> str:
        return "\n".join(f"== {log.name}\n{log.read_text(errors='replace')[-4000:]}" for log in logs)

    try:
        start("api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
        start("dag-processor")
        # A task that finds no API uses up a try.
        until("the API answers", lambda: answers(f"http://127.0.0.1:{port}/execution/health"), said)
        start("scheduler")
        yield said
    finally:
        for p in all_of_them:
            p.terminate()
        for p in all_of_them:
            try:
                p.wait(20)
            except subprocess.TimeoutExpired:
                pass
            try:
                os.killpg(p.pid, signal.SIGKILL)  # what it has left
            except ProcessLookupError:
                pass
            p.wait()


def until(what: str, condition: "Callable[[], object]", said: "Callable[[], str]") -> object:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not in {PATIENCE} s: {what}\n{said()}"
        time.sleep(0.2)
    return found


def parent_of(*words: str) -> int:
    """The process that has started one with these words; 0 = there is none."""
    for entry in Path("/proc").iterdir():
        try:
            argv = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if all(any(w in a for a in argv) for w in words):
                return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
    return 0


def task() -> "tuple[int, str]":
    """Number and state of the task's try."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        row = session.execute(select(TaskInstance.try_number, TaskInstance.state).where(TaskInstance.dag_id == "survives", TaskInstance.task_id == "train")).first()
    return (row[0], str(row[1])) if row else (0, "")


def test_the_scheduler_retries_a_killed_task_and_joins_its_run(world: Path, scheduler: "Callable[[], str]") -> None:
    witness = world / "witness"
    until("the step runs", lambda: witness.exists() and witness.read_text().endswith("\n"), scheduler)
    pid = int(until("the task looks on", lambda: parent_of("attach", "airflow/survives/"), scheduler))  # type: ignore[call-overload]
    assert pid > 1
    os.kill(pid, signal.SIGKILL)
    until("the scheduler's own retry", lambda: task() == (2, "running"), scheduler)
    (world / "gate").touch()
    until("the end of the retry", lambda: task() == (2, "success"), scheduler)
    until("the next task", lambda: (world / "report").exists(), scheduler)
    assert (world / "report").read_text() == "succeeded {'done': True}"
    mine = [r for r in stephost.runs.list() if r["token"].startswith("airflow/survives/")]
    assert len(mine) == 1 and [a["number"] for a in mine[0]["attempts"]] == [1]
    assert len(witness.read_text().split()) == 1, "it ran once"
