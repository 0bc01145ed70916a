from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import stephost


def wait_for(path: Path, seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while not path.exists() or not path.read_text().endswith("\n"):
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)
    return path.read_text()


def test_result_and_live_log(capfd: pytest.CaptureFixture[str]) -> None:
    r = stephost.launch(["sh", "-c", "echo out; echo err >&2; echo '::stephost value n={\"a\":[1]}'"], operator="here", step_name="first")
    assert r.succeeded and r.class_ == "succeeded" and r.exit_code == 0 and r.exit == 0
    assert (r.operator, r.flavor, r.step, r.attempt) == ("here", "local", "first", 1)
    assert r.values == {"n": {"a": [1]}}
    out, err = capfd.readouterr()
    assert out.splitlines()[0] == "out"
    assert "err" in err.splitlines() and "-- preparing --" in err


def test_log_is_live(tmp_path: Path) -> None:
    seen: list[str] = []

    def on_log(log: stephost.Log) -> None:
        seen.append(log.text)
        (tmp_path / "go").touch()  # the step waits for its first line to be seen

    stephost.launch(
        ["sh", "-c", f"echo one; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo two"], operator="here", on_log=on_log
    )
    assert "".join(seen) == "one\ntwo\n"


def test_argv_stays_argv() -> None:
    nasty = ["", " ", "$(HOME)", "$$", "${{x}}", "a\nb", "'\"", "\\", "--", "-x", "ä☃", "x" * 10_000]
    got: list[str] = []
    code = "import json, sys; print(json.dumps(sys.argv[1:]))"
    stephost.launch(["python3", "-c", code, *nasty], operator="here", on_log=lambda log: got.append(log.text))
    assert json.loads("".join(got)) == nasty


def test_environment_source_and_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "a.sh").write_text('echo "$A/$B/$C"')
    monkeypatch.setenv("SOME_SECRET", "s1")
    got: list[str] = []
    r = stephost.launch(
        ["sh", "sub/a.sh"],
        operator="here",
        source={"sub": tmp_path / "code"},
        env={"A": "x=y z"},
        secrets={"B": "env:SOME_SECRET"},
        secret_values={"C": "s3cr3t"},
        labels={"team": "ml"},
        timeouts={"run": "1m"},
        retry={"user": 0},
        cpu=1,
        on_log=lambda log: got.append(log.text),
    )
    assert "".join(got) == "x=y z/s1/s3cr3t\n"
    assert "s3cr3t" not in json.dumps(stephost.runs.show(r.run))


def test_failure_has_class_reason_and_last_lines(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(stephost.StepFailed) as e:
        stephost.launch(["sh", "-c", "for i in 1 2 3; do echo line $i; done; exit 4"], operator="here", step_name="bad")
    assert e.value.class_ == "user" and e.value.result.exit_code == 4
    assert e.value.last_lines == ["line 1", "line 2", "line 3"]
    assert "bad on here failed (class user, exit code 4, run " in str(e.value) and "  line 3" in str(e.value)
    r = stephost.launch(["false"], operator="here", check=False)
    assert not r.succeeded and r.exit == 1


@pytest.mark.parametrize(
    "options, class_, kind",
    [
        ({"settings": {"noop": True, "faults": '{"submit_capacity": 99}'}, "retry": {"capacity": 0}}, "capacity", stephost.StepFailed),
        ({"settings": {"noop": True, "noop_ms": 60000}, "timeouts": {"run": "1s"}}, "timeout", stephost.StepTimeout),
        ({"settings": {"noop": True, "noop_ms": 60000, "faults": '{"preempt_after_ms": 10}'}, "retry": {"preempted": 0}}, "preempted", stephost.StepFailed),
    ],
)
def test_classes(options: dict, class_: str, kind: type) -> None:
    with pytest.raises(kind) as e:
        stephost.launch(["true"], operator="fault", on_log=lambda _: None, **options)
    assert e.value.class_ == class_


def test_refused(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(stephost.LaunchError, match='there is no operator "nope"'):
        stephost.launch(["true"], operator="nope", check=False)
    with pytest.raises(stephost.LaunchError, match="not a number of cores") as e:
        stephost.launch(["true"], operator="here", cpu="many")
    assert e.value.diagnostics[0]["range"]["file"] == "--cpu"
    with pytest.raises(stephost.CallError, match="did you mean 'requirements'"):
        stephost.launch(["true"], operator="here", requirement=["x"])  # type: ignore[call-arg]
    with pytest.raises(stephost.CallError, match=r"requirements is one text; write a list: requirements=\['x'\]"):
        stephost.launch(["true"], operator="here", requirements="x")
    with pytest.raises(stephost.CallError, match="not a text"):
        stephost.launch(["true"], operator="here", env={"A": 1})  # type: ignore[dict-item]
    with pytest.raises(stephost.CallError, match="write its words as a list"):
        stephost.launch("true", operator="here")
    with pytest.raises(stephost.CallError, match="there is no timeouts 'runs'; did you mean 'run'"):
        stephost.launch(["true"], operator="here", timeouts={"runs": "1s"})


def test_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPHOST_PROGRAM", "/nowhere/stephost")
    with pytest.raises(stephost.NotInstalledError, match="/nowhere/stephost"):
        stephost.launch(["true"])


def test_project_step(tmp_path: Path) -> None:
    (tmp_path / "stephost.hcl").write_text('step "hello" {\n  operator = "here"\n  command  = ["echo", "from the file"]\n}\n')
    got: list[str] = []
    r = stephost.launch(step="hello", directory=tmp_path, on_log=lambda log: got.append(log.text))
    assert (r.step, "".join(got)) == ("hello", "from the file\n")


def test_token_joins(tmp_path: Path) -> None:
    argv = ["sh", "-c", f"echo x >> {tmp_path}/witness"]
    a = stephost.launch(argv, operator="here", token="py/token 1")
    b = stephost.launch(argv, operator="here", token="py/token 1")
    assert a.run == b.run and (tmp_path / "witness").read_text() == "x\n"
    with pytest.raises(stephost.LaunchError):
        stephost.launch(["other"], operator="here", token="py/token 1")


def test_detach_and_runs(tmp_path: Path) -> None:
    r = stephost.launch(["sh", "-c", f"echo go; while [ ! -e {tmp_path}/end ]; do sleep 0.05; done; echo end; exit 3"], operator="here", detach=True, token="d1")
    assert r.class_ == "detached"
    assert stephost.runs.show(token="d1")["run"] == r.run
    assert r.run in [x["run"] for x in stephost.runs.list()]
    logs = stephost.runs.logs(r.run, follow=True)
    assert next(logs).text == "go\n"
    (tmp_path / "end").touch()
    assert "".join(log.text for log in logs) == "end\n"
    with pytest.raises(stephost.StepFailed) as e:
        stephost.runs.wait(token="d1")
    assert e.value.result.exit_code == 3
    with pytest.raises(stephost.CallError):
        stephost.runs.show()
    with pytest.raises(stephost.LaunchError, match="no run"):
        stephost.runs.show("zzzz")


def test_cancel_and_outputs(tmp_path: Path) -> None:
    r = stephost.launch(["sh", "-c", "sleep 600"], operator="here", detach=True)
    assert stephost.runs.cancel(r.run).class_ == "cancelled"
    assert stephost.runs.wait(r.run, check=False).class_ == "cancelled"
    r = stephost.launch(["sh", "-c", 'echo data > "$STEPHOST_OUTPUT_DIR/f"'], operator="here")
    outputs, values = stephost.runs.outputs(r.run, get=tmp_path / "got")
    assert [o.name for o in outputs] == ["f"] and values == {}
    assert (tmp_path / "got" / "f").read_text() == "data\n"


INTERRUPTED = """
import stephost, sys
try:
    stephost.launch(["sh", "-c", "echo $$ > %s; exec sleep 600"], operator=%r, token=%r)
except KeyboardInterrupt:
    print("interrupted")
    sys.exit(9)
"""


# The backend of `fault` outlives a home, and finds runs by their token: tokens are new.
@pytest.mark.parametrize("group", [True, False], ids=["terminal", "kill"])
@pytest.mark.parametrize("operator", ["here", "fault"])
def test_ctrl_c_cancels(tmp_path: Path, operator: str, group: bool) -> None:
    pid, token = tmp_path / "pid", f"int-{operator}-{group}-{os.environ['STEPHOST_HOME']}"
    p = subprocess.Popen([sys.executable, "-c", INTERRUPTED % (pid, operator, token)], stdout=subprocess.PIPE, text=True, start_new_session=True)
    job = int(wait_for(pid))
    # A terminal signals the group, an orchestrator one process.
    (os.killpg if group else os.kill)(p.pid, signal.SIGINT)
    out, _ = p.communicate(timeout=60)
    assert (p.returncode, out) == (9, "interrupted\n")
    assert stephost.runs.show(token=token)["verdict"]["class"] == "cancelled"
    with pytest.raises(ProcessLookupError):
        os.kill(job, 0)


def test_an_error_while_detaching_leaves_the_run(tmp_path: Path) -> None:
    """An orchestrator that ends a task by a signal has not said what becomes of the run."""
    witness, token = tmp_path / "witness", f"detaching-{os.environ['STEPHOST_HOME']}"

    class Ended(Exception):
        pass

    def on_term(*_: object) -> None:
        raise Ended

    before = signal.signal(signal.SIGTERM, on_term)
    # The step may run before stephost knows that it was accepted.
    killer = subprocess.Popen(["sh", "-c", f"while [ ! -s {witness} ]; do sleep 0.01; done; kill -TERM {os.getpid()}"])
    try:
        with pytest.raises(Ended):
            stephost.launch(["sh", "-c", f"echo $$ > {witness}; exec sleep 600"], operator="here", token=token, detach=True, on_log=lambda _: None)
            signal.pause()
    finally:
        signal.signal(signal.SIGTERM, before)
        killer.wait()
    assert "verdict" not in stephost.runs.show(token=token)
    assert stephost.runs.cancel(token=token).class_ == "cancelled"


def test_second_ctrl_c_leaves_the_cancel_to_stephost(tmp_path: Path) -> None:
    """The backend takes its time to cancel: the person need not."""
    pid, token = tmp_path / "pid", f"twice-{os.environ['STEPHOST_HOME']}"
    slow = "operator='fault', settings={'faults': '{\"cancel_ms\": 3000}'}"
    text = (INTERRUPTED % (pid, "fault", token)).replace("operator='fault'", slow)
    p = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True, start_new_session=True)
    wait_for(pid)
    os.kill(p.pid, signal.SIGINT)
    deadline = time.monotonic() + 30
    while "cancel" not in stephost.runs.show(token=token):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(p.pid, signal.SIGINT)
    p.wait(timeout=60)
    assert stephost.runs.wait(token=token, check=False).class_ == "cancelled"


def test_error_of_a_callback_cancels() -> None:
    def on_log(_: stephost.Log) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stephost.launch(["sh", "-c", "echo x; exec sleep 600"], operator="here", on_log=on_log, token="callback")
    assert stephost.runs.show(token="callback")["verdict"]["class"] == "cancelled"


def test_killed_process_is_adopted(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    argv = ["sh", "-c", f"echo $$ >> {pid}; while [ ! -e {tmp_path}/end ]; do sleep 0.05; done; echo done"]
    text = f"import stephost; stephost.launch({argv!r}, operator='here', token='killed')"
    p = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(pid)
    p.kill()
    p.wait()
    (tmp_path / "end").touch()
    got: list[str] = []
    r = stephost.launch(argv, operator="here", token="killed", on_log=lambda log: got.append(log.text))
    assert r.succeeded and "".join(got) == "done\n"
    assert len(pid.read_text().split()) == 1, "it ran once"


def test_async(tmp_path: Path) -> None:
    async def several() -> list[stephost.Result]:
        return await asyncio.gather(*(stephost.launch_async(["sh", "-c", f"exit {n}"], operator="here", check=False) for n in (0, 3)))

    assert [r.exit for r in asyncio.run(several())] == [0, 3]

    async def cancelled() -> None:
        task = asyncio.ensure_future(stephost.launch_async(["sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 600"], operator="here", token="async"))
        while not (tmp_path / "pid").exists():
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert stephost.runs.show(token="async")["verdict"]["class"] == "cancelled"
