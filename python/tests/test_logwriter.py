from __future__ import annotations

import random
import threading

import pytest

from stephost_flavor import LogSource, LogWriter
from stephost_flavor.limits import LOG_MESSAGE, LOG_QUEUED, MAX_ENTRY
from stephost_flavor.logwriter import StreamEnded, parse_cursor

SOURCE = LogSource(1)


def entries(w: LogWriter) -> list[tuple[bytes, str, bool]]:
    messages, _ = w.take()
    return [(e.data, e.cursor, e.partial) for m in messages for e in m.entries]


def test_split_behind_newlines() -> None:
    w = LogWriter({})
    data = b"a" * 70_000 + b"\n" + b"b\n" + b"c"
    w.write(SOURCE, data, len(data))
    got = entries(w)
    assert b"".join(d for d, _, _ in got) == data
    assert all(len(d) <= MAX_ENTRY for d, _, _ in got)
    assert [p for _, _, p in got] == [True, False, True]
    assert got[-1][1] == f"0:{len(data)}"


@pytest.mark.parametrize("seed", range(20))
def test_resume_anywhere(seed: int) -> None:
    """Whatever was delivered before a break, nothing is lost or doubled."""
    r = random.Random(seed)
    print("seed", seed)
    blocks = []
    for i in range(12):
        size = r.choice([0, 1, 10, 1000, 70_000, 200_000])
        blocks.append((bytes(r.choices(b"xy\n", k=size)), f"c{i}"))
    whole = b"".join(d for d, _ in blocks)
    got, cursor = b"", ""
    while cursor == "" or parse_cursor(cursor) != (0, "c11"):
        w = LogWriter({SOURCE.name: cursor} if cursor else {})
        request = w.request(follow=False)
        at = request.cursor(SOURCE)
        rest = blocks[int(at[1:]) + 1 :] if at else blocks
        out: list[tuple[bytes, str, bool]] = []
        for data, c in rest:
            w.entry(SOURCE, data, c)
            out += entries(w)
        keep = r.randint(1, len(out))
        for data, c, _ in out[:keep]:
            got += data
            cursor = c
    assert got == whole


def test_batches_grow_while_the_host_is_slow() -> None:
    w = LogWriter({})
    for i in range(1000):
        w.write(SOURCE, b"line\n", (i + 1) * 5)
    messages, over = w.take()
    assert len(messages) == 1 and len(messages[0].entries) == 1000 and not over
    w.write(SOURCE, b"x" * 10, 10)
    assert len(entries(w)) == 1, "a taken message is not touched again"


def test_a_slow_host_holds_the_author_up() -> None:
    w = LogWriter({})
    written = []

    def write() -> None:
        block = b"x" * 1023 + b"\n"
        try:
            for i in range(5000):
                w.write(SOURCE, block, (i + 1) * 1024)
                written.append(i)
        except StreamEnded:
            written.append(-1)

    t = threading.Thread(target=write)
    t.start()
    seen = 0
    while seen < 2 * LOG_QUEUED:
        messages, _ = w.take()
        size = sum(len(e.data) for m in messages for e in m.entries)
        assert size <= LOG_QUEUED + MAX_ENTRY
        assert all(m.ByteSize() < 2 * LOG_MESSAGE for m in messages)
        seen += size
    w.fail()
    t.join(60)
    assert written[-1] == -1, "a stream that is over ends the author's method"


def test_reachability_gap_end() -> None:
    w = LogWriter({"1/0/0//stderr": "0:5"})
    w.write(SOURCE, b"a\n", 2)
    w.unreachable(OSError("no route"))
    w.unreachable(OSError("no route"))
    w.gap(SOURCE, "rotated", proven=True, size=7)
    w.write(SOURCE, b"b\n", 4)
    w.end_all()
    w.write(SOURCE, b"late\n", 9)
    messages, _ = w.take()
    kinds = ["reach" if m.HasField("reachability") else "gap" if m.HasField("gap") else "end" if m.end else "entries" for m in messages]
    assert kinds == ["entries", "reach", "reach", "gap", "end", "end", "entries"]
    assert not messages[1].reachability.reachable and messages[2].reachability.reachable
    assert messages[3].gap.bytes == 7 and [e.data for e in messages[3].entries] == [b"b\n"]
    assert messages[-1].entries[0].late
    assert {m.source.name for m in messages if m.end} == {"1/0/0//stdout", "1/0/0//stderr"}


@pytest.mark.parametrize("wire", ["", "x", "1", "-1:a", "²:a", ":a"])
def test_cursors_of_others(wire: str) -> None:
    assert parse_cursor(wire) == (0, "")
