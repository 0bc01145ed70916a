from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from stephost_flavor import Secret, errors, values
from stephost_flavor._proto import operator_pb2 as pb


def message(value: Any, **secrets: str) -> pb.Values:
    text = value if isinstance(value, str) else json.dumps(value)
    return pb.Values(json=text.encode(), secrets={k: pb.Secret(value=v) for k, v in secrets.items()})


@dataclass
class Nested:
    key: str
    effect: str | None = None


@dataclass
class Sample:
    count: int
    share: float
    name: str | None
    on: bool
    tags: dict[str, str]
    tolerations: list[Nested]
    wait: timedelta
    token: Secret | None
    anything: Any


GOOD = {
    "count": 9007199254740993, "share": 1, "name": None, "on": True, "tags": {"a": "b"},
    "tolerations": [{"key": "gpu", "effect": None}], "wait": "1h30m", "anything": {"x": [1, 2.5]},
}  # fmt: skip


def test_dataclass() -> None:
    s = values.decode(message(GOOD, token="s3cr3t"), "config", Sample)
    assert s.count == 9007199254740993 and s.share == 1.0 and isinstance(s.share, float)
    assert s.name is None and s.on is True and s.tags == {"a": "b"}
    assert s.tolerations == [Nested("gpu", None)]
    assert s.wait == timedelta(hours=1, minutes=30)
    assert s.token.reveal() == "s3cr3t" and "s3cr3t" not in repr(s)
    assert s.anything == {"x": [1, 2.5]}
    assert values.decode(message(GOOD), "config", Sample).token is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('{"count": 1.5}', "config.count"),
        ('{"count": true}', "config.count"),
        ('{"count": 1e999999999}', "config.count"),
        ('{"count": "1"}', "config.count"),
        ('{"share": "x"}', "config.share"),
        ('{"on": 1}', "config.on"),
        ('{"tags": []}', "config.tags"),
        ('{"tolerations": [{"key": 1}]}', "config.tolerations.0.key"),
        ('{"wait": "soon"}', "config.wait"),
        ('{"wait": "1"}', "config.wait"),
    ],
)
def test_wrong_type(text: str, path: str) -> None:
    raw = json.dumps(GOOD)[:-1] + ", " + text[1:]  # the later of two equal keys counts
    with pytest.raises(errors.Config) as e:
        values.decode(message(raw), "config", Sample)
    assert ".".join(e.value.attribute) == path


@pytest.mark.parametrize("number", ["1e3", "1000.0", "1000"])
def test_whole_numbers(number: str) -> None:
    raw = json.dumps(GOOD)[:-1] + f', "count": {number}}}'
    assert values.decode(message(raw), "config", Sample).count == 1000


def test_code_and_manifest_disagree() -> None:
    for change in ({"extra": 1}, {"tolerations": [{"key": "a", "other": 1}]}):
        with pytest.raises(errors.Error, match="do not agree"):
            values.decode(message({**GOOD, **change}), "config", Sample)
    missing = {k: v for k, v in GOOD.items() if k != "count"}
    with pytest.raises(errors.Error, match="do not agree"):
        values.decode(message(missing), "config", Sample)
    with pytest.raises(errors.Error, match="must have the type Secret"):
        values.decode(message({k: v for k, v in GOOD.items() if k != "name"}, name="x"), "config", Sample)
    names = list(Sample.__dataclass_fields__)
    values.check(Sample, names, "config")
    for wrong in (names[1:], [*names, "more"]):
        with pytest.raises(errors.Error, match="do not agree"):
            values.check(Sample, wrong, "config")


def test_without_dataclass() -> None:
    v = values.decode(message({"a": 1.0, "b": None}, token="x"), "settings", None)
    assert v.a == 1 and isinstance(v.a, int) and v["b"] is None and set(v) == {"a", "b", "token"}
    assert "x" not in repr(v.token)
    with pytest.raises(AttributeError):
        v.missing
    with pytest.raises(AttributeError):
        v.a = 2


def test_no_content_in_errors() -> None:
    with pytest.raises(errors.System) as e:
        values.decode(message('{"token": "s3cr3t"'), "config", None)
    assert "s3cr3t" not in str(e.value) and e.value.__cause__ is None


def test_secret_prints_nowhere() -> None:
    import copy
    import pickle

    s = Secret("s3cr3t")
    assert {str(s), repr(s), f"{s}", f"{s:>5}", "%s" % s, str([s]), str({"a": s})} & {"s3cr3t"} == set()
    for leak in (pickle.dumps, copy.copy, json.dumps):
        with pytest.raises(TypeError):
            leak(s)
