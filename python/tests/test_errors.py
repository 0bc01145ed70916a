from __future__ import annotations

import pytest

from stephost_flavor import convert, errors, submit
from stephost_flavor._proto import operator_pb2 as pb
from stephost_flavor.limits import MAX_DETAIL, MAX_SUMMARY
from stephost_flavor.pace import Pace
from stephost_flavor.status import Class


def wrapped(outer: Exception, inner: Exception) -> Exception:
    try:
        try:
            raise inner
        except Exception as e:
            raise outer from e
    except Exception as e:
        return e


@pytest.mark.parametrize(
    ("error", "outcome", "class_"),
    [
        (ValueError("x"), "uncertain", Class.SYSTEM),
        (errors.Config("config.role", "no"), "uncertain", Class.CONFIG),
        (errors.Throttled("slow", 3), "uncertain", Class.SYSTEM),
        (errors.Rejected("no"), "rejected", Class.SYSTEM),
        (errors.Rejected(errors.Config("config.role", "no")), "rejected", Class.CONFIG),
        (errors.Rejected(errors.Capacity("full")), "rejected", Class.CAPACITY),
        (errors.Rejected(errors.Throttled("slow", 3)), "not_sent", Class.SYSTEM),
        (errors.Rejected(errors.Auth("expired")), "not_sent", Class.AUTH),
        (wrapped(RuntimeError("while creating"), errors.Rejected(errors.Capacity("full"))), "rejected", Class.CAPACITY),
        (wrapped(errors.Unreachable("broken pipe"), ConnectionError("x")), "uncertain", Class.SYSTEM),
    ],
)
def test_outcomes_of_submit(error: Exception, outcome: str, class_: Class) -> None:
    answer = submit.nothing_sent(error) if errors.is_rejected(error) else submit.uncertain(error)
    assert answer.WhichOneof("outcome") == outcome
    assert getattr(answer.diagnostics[0], "class") == class_


def test_diagnostic_texts() -> None:
    d = convert.diagnostic(errors.Config("config.role", "is wrong.\nSecond line"))
    assert d.summary == "is wrong" and d.detail == "is wrong.\nSecond line"
    assert list(d.attribute) == ["config", "role"]
    assert convert.diagnostic(KeyError("x")).summary == "KeyError: 'x'"
    d = convert.diagnostic(ValueError("é" * 10_000))
    assert len(d.summary.encode()) <= MAX_SUMMARY and len(d.detail.encode()) <= MAX_DETAIL
    assert convert.bound("a\udcffb", 100) == "a?b"
    assert len(convert.diagnostics(errors.Several([errors.Config("a", "b"), errors.warning("c", "d")]))) == 2
    w = convert.diagnostic(errors.warning("settings.x", "old"))
    assert w.severity == pb.SEVERITY_WARNING and getattr(w, "class") == 0

    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    assert convert.diagnostic(Broken()).summary == "Broken"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ConnectionError("x"), pb.CouldNotAsk.REASON_UNREACHABLE),
        (errors.Throttled("x", 2.5), pb.CouldNotAsk.REASON_THROTTLED),
        (errors.Auth("x"), pb.CouldNotAsk.REASON_AUTH),
        (wrapped(errors.System("x"), errors.Auth("y")), pb.CouldNotAsk.REASON_AUTH),
        (ZeroDivisionError(), pb.CouldNotAsk.REASON_UNREACHABLE),
    ],
)
def test_could_not_ask(error: Exception, reason: int) -> None:
    c = convert.could_not_ask(error)
    assert c.reason == reason and c.diagnostic.summary
    assert c.HasField("retry_after") == isinstance(error, errors.Throttled)


def test_pace() -> None:
    p = Pace()
    pauses = [p.next() for _ in range(40)]
    assert pauses[0] < 0.07 and 12 <= pauses[-1] <= 18
    p.changed()
    assert p.next() <= 0.3
    assert p.failed(errors.Throttled("x", 100)) >= 100
    assert p.failed(errors.Throttled("x", 1e9)) <= 660
    assert max(p.failed(OSError()) for _ in range(20)) <= 36
