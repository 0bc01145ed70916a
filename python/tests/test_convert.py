"""Messages of the contract as the SDK's types."""

from __future__ import annotations

import random
import time

import pytest

from stephost_flavor import Output, Phase, Scope, Status, convert, errors
from stephost_flavor._proto import operator_pb2 as pb
from stephost_flavor.logwriter import LogSource, LogWriter

# A name as os.fsdecode gives it where it is no UTF-8.
ODD = "bad\udcff"


def test_maps_come_in_the_order_of_their_names() -> None:
    """Whatever order they have on the wire: plan shows the same request each time."""
    seed = time.time_ns()
    print("seed", seed)
    names = [f"NAME_{i:02}" for i in range(40)]
    shuffled = random.Random(seed).sample(names, len(names))
    message = pb.Step(env={n: n.lower() for n in shuffled}, labels={n: "x" for n in shuffled}, secrets={n: pb.Secret(value=n) for n in shuffled})
    step = convert.step_of(message, pb.Target())
    assert list(step.env) == list(step.labels) == list(step.secrets) == names
    assert step.env["NAME_07"] == "name_07"
    assert step.secrets["NAME_07"].reveal() == "NAME_07"


def test_strings_are_sound() -> None:
    told = "bad?"
    st = Status(Phase.FAILED, reason=ODD, message=ODD, native_state=ODD, url=ODD, signal=ODD)
    assert convert.status_proto(st, 1.0).url == told
    assert convert.terminal_proto(st).signal == told
    assert list(convert.diagnostic(errors.Config("config." + ODD, ODD)).attribute) == ["config", told]
    w = LogWriter({}, ready=lambda: None)
    w.entry(LogSource(1, container=ODD, stream=ODD), b"x\n", ODD)
    [message], _ = w.take()
    assert (message.source.stream, message.entries[0].cursor) == (told, "0:" + told)
    assert str(Scope("x", ODD))


@pytest.mark.parametrize(
    ("status", "outputs", "message"),
    [
        (Status(Phase.SUCCEEDED, message="m", outputs=[Output("é", "/é")]), 1, "m"),
        (
            Status(Phase.SUCCEEDED, outputs=[Output(ODD, "/x"), Output("b", "/b")]),
            1,
            "1 output is not listed, since its name is no UTF-8 text: 'bad\\udcff' at '/x'",
        ),
        (
            Status(Phase.SUCCEEDED, message="m", outputs=[Output("a", "/" + ODD), Output(ODD, ODD)]),
            0,
            "m; 2 outputs are not listed, since their names are no UTF-8 text: 'a' at '/bad\\udcff', ...",
        ),
        (Status(Phase.SUCCEEDED, outputs=[Output("n", "x" * 1023)] * 1026), 1024, "2 outputs are not listed, since the list would be longer than 1 MiB"),
        (Status(Phase.FAILED, exit_code=999), 0, "the exit code 999 is none of a process"),
    ],
)
def test_terminal(status: Status, outputs: int, message: str) -> None:
    end = convert.terminal_proto(status)
    assert (len(end.outputs), end.message) == (outputs, message)
    assert not end.HasField("exit_code")


@pytest.mark.parametrize("code", [-1, 0, 255, 256])
def test_exit_codes(code: int) -> None:
    end = convert.terminal_proto(Status(Phase.FAILED, exit_code=code))
    assert end.HasField("exit_code") == (0 <= code <= 255)
