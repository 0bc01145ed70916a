"""The templates for Argo and GitHub Actions: held against their schemas, and what they
start is run here, with what the controller or runner fills in filled in."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hera.workflows import models

import stephost

INTEGRATIONS = Path(os.environ["TEST_INTEGRATIONS"])


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() or not path.read_text().endswith("\n"):
        assert time.monotonic() < deadline
        time.sleep(0.02)


# GitHub Actions


@pytest.mark.parametrize("schema, file", [("vendor.github-actions", "action.yml"), ("vendor.github-workflows", "example.yml")])
def test_github_schema(schema: str, file: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(INTEGRATIONS / "github" / file)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def action(home: Path, attempt: int = 1, **inputs: str) -> "subprocess.Popen[str]":
    """Start the action's script as a runner does."""
    doc = yaml.safe_load((INTEGRATIONS / "github" / "action.yml").read_text())
    (step,) = doc["runs"]["steps"]
    given = {name: i.get("default", "") for name, i in doc["inputs"].items()} | inputs
    assert all(given[n] for n, i in doc["inputs"].items() if i["required"])
    env = {}
    for name, value in step["env"].items():
        value = value.replace("${{ github.run_attempt }}", str(attempt))
        env[name] = re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda m: given[m[1]], value)
    assert "${{" not in step["run"], "inputs reach a script as variables only"
    (home / "output").write_text("")
    env |= {"RUNNER_TEMP": str(home), "GITHUB_OUTPUT": str(home / "output")}
    return subprocess.Popen(
        ["bash", "-eo", "pipefail", "-c", step["run"]],
        env={**os.environ, "PATH": os.path.dirname(stephost.binary()) + ":" + os.environ["PATH"], **env},
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_github_runs_a_command(home: Path) -> None:
    nasty = "a b\n$(id)\n\n'\"\n`x`"
    p = action(home, operator="gpu", command=f"printf\n<%s>\n{nasty}\n", flags="--env\nA=b c\n", token="t1")
    out, _ = p.communicate(timeout=60)
    assert p.returncode == 0, out
    assert "<a b><$(id)><><'\"><`x`>" in out and "run token: t1" in out
    result = json.loads((home / "output").read_text().removeprefix("result="))
    assert result["class"] == "succeeded"


def test_github_rerun_makes_another_attempt(home: Path) -> None:
    script = f"sh\n-c\ntest -e {home}/mended"
    for attempt, code in ((1, 1), (2, 1)):
        p = action(home, attempt, operator="gpu", command=script, token="t2")
        p.communicate(timeout=60)
        assert p.returncode == code
    (home / "mended").touch()
    p = action(home, 3, operator="gpu", command=script, token="t2")
    p.communicate(timeout=60)
    assert p.returncode == 0
    assert [a["number"] for a in stephost.runs.show(token="t2")["attempts"]] == [1, 2, 3]


def test_github_cancel_is_stored_within_the_grace(home: Path) -> None:
    p = action(home, operator="gpu", step="train", token="t3")
    wait_for(home / "witness")
    os.killpg(p.pid, signal.SIGINT)
    p.communicate(timeout=7)
    assert stephost.runs.show(token="t3")["verdict"]["class"] == "cancelled"


# Argo


@pytest.mark.parametrize("file, model", [("stephost.yaml", models.WorkflowTemplate), ("example.yaml", models.Workflow)])
def test_argo_schema(file: str, model: Any) -> None:
    """The models are made from Argo's own API description. A field that they do not know
    would be dropped: what comes back must be what went in."""
    doc = yaml.safe_load((INTEGRATIONS / "argo" / file).read_text())
    parsed = model.model_validate(doc)
    back = json.loads(parsed.model_dump_json(by_alias=True, exclude_unset=True))
    assert back == doc


def container(name: str, home: Path, **parameters: str) -> "list[str]":
    """A container's argv as the controller renders it."""
    doc = yaml.safe_load((INTEGRATIONS / "argo" / "stephost.yaml").read_text())
    (template,) = [t for t in doc["spec"]["templates"] if t["name"] == name]
    assert {p["name"] for p in template["inputs"]["parameters"]} == set(parameters)
    known = {"workflow.uid": "u-1", "workflow.name": "digits-x"} | {f"inputs.parameters.{k}": v for k, v in parameters.items()}

    def render(text: str) -> str:
        return re.sub(r"\{\{([\w.]+)\}\}", lambda m: known[m[1]], text).replace("/stephost/", f"{home}/")

    return [render(a) for a in [*template["container"]["command"], *template["container"]["args"]]]


def test_argo_evicted_pod_and_its_retry(home: Path) -> None:
    argv = [stephost.binary(), *container("step", home, step="train", operator="gpu")[1:]]
    p = subprocess.Popen(argv, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(home / "witness")
    p.terminate()  # a drained node
    assert p.wait(timeout=60) == 143, "the code that retryStrategy names"
    # The new pod has an empty home; the job is found by its token.
    os.environ["STEPHOST_HOME"] = str(home / "h2")
    subprocess.run([stephost.binary(), "operator", "register", "gpu", "--flavor=local", f"--state_dir={home / 'jobs'}"], check=True, capture_output=True)
    p = subprocess.Popen(argv, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (home / "gate").touch()
    assert p.wait(timeout=60) == 0
    assert len((home / "witness").read_text().split()) == 1, "it ran once"
    result = json.loads((home / "result.json").read_text())
    assert (result["class"], result["values"], result["token"]) == ("succeeded", {"loss": 0.5}, "argo/u-1/train")


def test_argo_cancel_from_another_pod(home: Path) -> None:
    argv = [stephost.binary(), *container("step", home, step="train", operator="gpu")[1:]]
    p = subprocess.Popen(argv, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(home / "witness")
    p.terminate()
    p.wait(timeout=60)
    argv = [stephost.binary(), *container("cancel", home, step="train", operator="gpu")[1:]]
    subprocess.run(argv, cwd=home, check=True, timeout=60)
    with pytest.raises(ProcessLookupError):
        os.kill(int((home / "witness").read_text()), 0)
