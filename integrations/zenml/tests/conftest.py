"""A ZenML of its own: SQLite, local stores, no server. Set before ZenML is imported."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PLACE = Path(tempfile.mkdtemp(prefix="sz"))
os.environ.update(
    ZENML_CONFIG_PATH=str(PLACE / "zenml"),
    ZENML_ANALYTICS_OPT_IN="false",
    ZENML_ENABLE_RICH_TRACEBACK="false",
    ZENML_LOGGING_COLORS_DISABLED="true",
    STEPHOST_HOME=str(PLACE / "h"),
)

import stephost  # noqa: E402


def stephost_(*words: str) -> None:
    subprocess.run([stephost.binary(), *words], check=True, capture_output=True)


@pytest.fixture(scope="session", autouse=True)
def world() -> Iterator[Path]:
    stephost_("operator", "register", "here", "--flavor=local", f"--state_dir={PLACE / 'jobs'}")
    stephost_("flavor", "register", os.environ["TEST_FAULT_PLUGIN"])
    stephost_("operator", "register", "fault", "--flavor=fault-key", f"--socket={os.environ['TEST_FAULT_SOCKET']}")
    from zenml.client import Client
    from zenml.enums import StackComponentType

    client = Client()
    client.create_flavor("stephost_zenml.StephostStepOperatorFlavor", StackComponentType.STEP_OPERATOR)
    for name in ("here", "fault"):
        client.create_stack_component(
            name=name, flavor="stephost", component_type=StackComponentType.STEP_OPERATOR, configuration={"operator": name}
        )
        client.create_stack(
            name=name,
            components={
                StackComponentType.ORCHESTRATOR: "default",
                StackComponentType.ARTIFACT_STORE: "default",
                StackComponentType.STEP_OPERATOR: name,
            },
        )
    client.activate_stack("here")
    yield PLACE
    shutil.rmtree(PLACE, ignore_errors=True)
