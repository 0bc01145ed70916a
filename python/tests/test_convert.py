"""Messages of the contract as the SDK's types."""

from __future__ import annotations

import random
import time

from stephost_flavor import convert
from stephost_flavor._proto import operator_pb2 as pb


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
