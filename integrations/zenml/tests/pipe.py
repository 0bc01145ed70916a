"""The pipeline of the tests: its middle step runs through stephost."""

import os
import time

from stephost_zenml import StephostStepOperatorSettings
from zenml import pipeline, step
from zenml.client import Client
from zenml.config import DockerSettings

# Nothing of this process's environment reaches the step but what is written here.
GIVEN = {k: os.environ[k] for k in ("WITNESS", "GATE", "FAIL") if k in os.environ}
FAULTS = {"faults": os.environ["FAULTS"]} if "FAULTS" in os.environ else {}


@step(enable_cache=False)
def load() -> int:
    return 20


@step(
    step_operator=os.environ.get("OPERATOR", "here"),
    enable_cache=False,
    settings={
        "docker": DockerSettings(environment=GIVEN),
        "step_operator": StephostStepOperatorSettings(settings=FAULTS, retry={"preempted": 0}),
    },
)
def train(x: int) -> int:
    with open(os.environ["WITNESS"], "a") as f:
        f.write(f"{os.getpid()}\n")
    print("training with", x)
    if os.environ.get("FAIL"):
        raise ValueError("no convergence")
    while os.environ.get("GATE") and not os.path.exists(os.environ["GATE"]):
        time.sleep(0.1)
    return x + 22


@step(enable_cache=False)
def report(y: int) -> None:
    print("REPORT", y)


@pipeline
def digits() -> None:
    report(train(load()))


if __name__ == "__main__":
    Client().activate_stack(os.environ.get("STACK", "here"))
    digits()
