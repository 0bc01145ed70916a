from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import stephost


@pytest.fixture
def home() -> Iterator[Path]:
    """A home with the operator `gpu`, on this machine, and a project."""
    place = Path(tempfile.mkdtemp(prefix="st"))
    os.environ["STEPHOST_HOME"] = str(place / "h")
    subprocess.run([stephost.binary(), "operator", "register", "gpu", "--flavor=local", f"--state_dir={place / 'jobs'}"], check=True, capture_output=True)
    (place / "stephost.hcl").write_text(
        'step "train" {\n  command = ["sh", "-c", "echo $$ >> witness-path; while [ ! -e gate-path ]; do sleep 0.05; done; echo \'::stephost value loss=0.5\'"]\n}\n'.replace(
            "witness-path", str(place / "witness")
        ).replace("gate-path", str(place / "gate"))
    )
    yield place
    shutil.rmtree(place, ignore_errors=True)
