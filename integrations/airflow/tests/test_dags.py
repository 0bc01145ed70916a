"""Real DAG runs on a real database: what `airflow dags test` runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import stephost


@pytest.fixture(scope="session")
def dags(world: Path) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    assert bag.import_errors == {}
    return bag.dags


def run(dag: Any, day: int = 1) -> "tuple[str, dict[str, str]]":
    """Run a DAG; its state, and those of its tasks."""
    import pendulum
    from airflow.utils.session import create_session

    result = dag.test(logical_date=pendulum.datetime(2026, 1, day, tz="UTC"))
    with create_session() as session:
        tasks = {ti.task_id: str(ti.state) for ti in result.get_task_instances(session=session)}
    return str(result.state), tasks


def last_run() -> "dict[str, Any]":
    return stephost.runs.list()[0]


def test_result_reaches_the_next_task(dags: Any, world: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(dags["ok"]) == ("success", {"train": "success", "report": "success"})
    assert (world / "report").read_text() == "succeeded {'loss': 0.25}"
    record = last_run()
    assert (record["step"], record["pipeline"]) == ("train", "ok")
    assert record["token"].startswith("airflow/ok/manual__") and record["token"].endswith("/train/-1")
    out, err = capfd.readouterr()
    assert "out train" in out + err, "templates are filled in options too, and the log is shown"


def test_deferred(dags: Any, world: Path) -> None:
    assert run(dags["deferred"])[0] == "success"
    assert (world / "report").read_text() == "succeeded {'loss': 0.5}"


def test_a_failure_fails_the_task_with_its_reason(dags: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(dags["bad"]) == ("failed", {"train": "failed", "report": "upstream_failed"})
    out, err = capfd.readouterr()
    assert "class user, exit code 3" in out + err


def test_what_a_person_must_change_is_not_retried(dags: Any, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(dags["wrong"])[1]["train"] == "failed"
    out, err = capfd.readouterr()
    assert (out + err).count("not a number of cores") >= 1


def test_a_retry_is_another_attempt_of_the_same_run(dags: Any, world: Path) -> None:
    before = len(stephost.runs.list())
    assert run(dags["again"])[0] == "success"
    assert (world / "report").read_text() == "succeeded {'tries': 2}"
    assert len(stephost.runs.list()) == before + 1
    assert [a["number"] for a in last_run()["attempts"]] == [1, 2]


def test_bash_pattern(dags: Any) -> None:
    assert run(dags["bash"]) == ("success", {"train": "success", "check": "success"})


def start(dag: str, day: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).parent / "run.py"), dag, f"2026-01-0{day}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def until_running(world: Path, p: "subprocess.Popen[bytes]") -> int:
    deadline = time.monotonic() + 200
    witness = world / "witness"
    while not (witness.exists() and witness.read_text().endswith("\n")):
        assert p.poll() is None, p.communicate()[0].decode()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return int(witness.read_text().split()[-1])


def test_a_killed_task_adopts_its_run(dags: Any, world: Path) -> None:
    p = start("gated", 2)
    until_running(world, p)
    os.killpg(p.pid, signal.SIGKILL)
    p.communicate()
    record = last_run()
    assert "verdict" not in record
    (world / "gate").touch()
    assert run(dags["gated"], 2)[0] == "success"
    assert (world / "report").read_text() == "succeeded {'done': True}"
    assert last_run()["run"] == record["run"]
    assert len((world / "witness").read_text().split()) == 1, "it ran once"


class Instance:
    """What on_kill needs of a task instance that runs."""

    dag_id, run_id, task_id, map_index, try_number = "d", "r", "t", -1, 1


@pytest.mark.parametrize("do", ["cancel", "leave"])
def test_on_kill(world: Path, do: str) -> None:
    """Airflow calls on_kill from its SIGTERM handler, in the middle of execute."""
    import airflow.exceptions
    from airflow.sdk.exceptions import AirflowException
    from stephost_airflow import StephostOperator

    token = f"kill/{do}"
    command = ["sh", "-c", f"echo $$ >> {world}/witness; exec sleep 600"]
    task = StephostOperator(task_id="t", operator="here", command=command, token=token, on_kill_do=do)

    def on_term(*_: object) -> None:
        task.on_kill()

    before = signal.signal(signal.SIGTERM, on_term)
    killer = subprocess.Popen(["sh", "-c", f"while [ ! -s {world}/witness ]; do sleep 0.1; done; kill -TERM {os.getpid()}"])
    try:
        with pytest.raises((AirflowException, airflow.exceptions.AirflowException)) as e:
            StephostOperator.execute.__wrapped__(task, {"ti": Instance()}) if hasattr(StephostOperator.execute, "__wrapped__") else task.execute({"ti": Instance()})
    finally:
        signal.signal(signal.SIGTERM, before)
        killer.wait()
    record = stephost.runs.show(token=token)
    if do == "cancel":
        assert record["verdict"]["class"] == "cancelled"
    else:
        assert "verdict" not in record and token in str(e.value)
        assert stephost.runs.cancel(token=token).class_ == "cancelled"
