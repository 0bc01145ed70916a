"""An Airflow of its own: SQLite, and a scheduler only where a test starts it. Set before
Airflow is imported."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PLACE = Path(tempfile.mkdtemp(prefix="sa"))
os.environ.update(
    AIRFLOW_HOME=str(PLACE / "airflow"),
    AIRFLOW__CORE__DAGS_FOLDER=str(Path(__file__).parent / "dags"),
    AIRFLOW__CORE__LOAD_EXAMPLES="false",
    PLACE=str(PLACE),
    STEPHOST_HOME=str(PLACE / "h"),
)

import stephost  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def world() -> Iterator[Path]:
    subprocess.run(
        [stephost.binary(), "operator", "register", "here", "--flavor=local", f"--state_dir={PLACE / 'jobs'}"], check=True, capture_output=True
    )
    from airflow.utils.db import initdb

    initdb()
    yield PLACE
    shutil.rmtree(PLACE, ignore_errors=True)


@pytest.fixture(autouse=True)
def clean(world: Path) -> None:
    for name in ("report", "tries", "witness", "gate"):
        (world / name).unlink(missing_ok=True)
