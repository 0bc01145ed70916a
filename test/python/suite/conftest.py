"""A home of its own for each test module, with the operators `here` and `fault`.

The tests run in an environment with the wheel installed; nothing of the checkout is
on the path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import stephost


@pytest.fixture(scope="session", autouse=True)
def home() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="sp"))  # short: sockets lie below it
    os.environ["STEPHOST_HOME"] = str(place / "h")
    stephost_("operator", "register", "here", "--flavor=local", f"--state_dir={place / 'jobs'}")
    plugin, socket = os.environ["TEST_FAULT_PLUGIN"], os.environ["TEST_FAULT_SOCKET"]
    stephost_("flavor", "register", plugin)
    stephost_("operator", "register", "fault", "--flavor=fault-key", f"--socket={socket}")
    yield place
    shutil.rmtree(place, ignore_errors=True)


def stephost_(*words: str) -> str:
    return subprocess.run([stephost.binary(), *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def script(tmp_path: Path):
    """Runs a script as a person does, in a process of its own."""

    def run(text: str, name: str = "script.py", *args: str, **more: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / name).write_text(text)
        return subprocess.run(
            [sys.executable, name, *args], cwd=tmp_path, capture_output=True, text=True, timeout=120, env={**os.environ, **more}
        )

    return run
