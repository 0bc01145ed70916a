"""Runs pipelines of one step that does nothing through stephost; prints what they took
as a whole, and what stephost says of it, in milliseconds, as JSON."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from datetime import datetime

import stephost
from zenml import pipeline, step
from zenml.client import Client
from zenml.enums import StackComponentType as Kind


@step(step_operator="here", enable_cache=False)
def nothing() -> None:
    pass


@pipeline
def bench() -> None:
    nothing()


def ms(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds() * 1000


def when(text: str) -> datetime:
    # Python before 3.11 reads six digits of a second, no fewer and no more.
    head, _, rest = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{head}.{(rest + '000000')[:6]}+00:00")


def main(rounds: int) -> None:
    client = Client()
    client.create_flavor("stephost_zenml.StephostStepOperatorFlavor", Kind.STEP_OPERATOR)
    client.create_stack_component(name="here", flavor="stephost", component_type=Kind.STEP_OPERATOR, configuration={"operator": "here"})
    client.create_stack(name="here", components={Kind.ORCHESTRATOR: "default", Kind.ARTIFACT_STORE: "default", Kind.STEP_OPERATOR: "here"})
    client.activate_stack("here")
    out = {"zenml": [], "launch": [], "process": []}
    for i in range(rounds + 1):
        # ZenML's own times of a step do not hold its start (0.98): the clock does.
        begin = time.perf_counter()
        bench()
        whole = (time.perf_counter() - begin) * 1000
        record = stephost.runs.list()[0]
        attempt = record["attempts"][-1]
        if i == 0:  # the stores are made once
            continue
        out["zenml"].append(whole)
        process = ms(when(attempt["started_at"]), when(attempt["ended_at"]))
        out["process"].append(process)
        out["launch"].append(ms(when(record["created_at"]), when(record["verdict_at"])) - process)
    print(json.dumps(out))


if __name__ == "__main__":
    with contextlib.redirect_stdout(sys.stderr):
        import io

        result = io.StringIO()
        with contextlib.redirect_stdout(result):
            main(int(sys.argv[1]))
    print(result.getvalue().splitlines()[-1])
