"""Takes what an author's logs method reads and makes messages of it.

Bytes are never decoded or changed, only split: behind a newline, or at 64 KiB.
The cursor on the wire is the number of bytes that were delivered behind the
author's cursor, a colon, the author's cursor; so that a break in the middle of a
large entry loses nothing and doubles nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from . import convert
from ._proto import operator_pb2 as pb
from .limits import ENTRY_OVERHEAD, LOG_MESSAGE, LOG_QUEUED, MAX_ENTRY, MAX_TEXT


class StreamEnded(Exception):
    """The host does not listen any more: return from logs."""


@dataclass(frozen=True)
class LogSource:
    """Names one ordered sequence of bytes."""

    attempt: int
    epoch: int = 0
    """Rises with each restart, new pod or new file."""
    node: int = 0
    container: str = ""
    stream: str = "stdout"
    """"stdout" or "stderr"."""

    @property
    def name(self) -> str:
        """attempt/epoch/node/container/stream"""
        return f"{self.attempt}/{self.epoch}/{self.node}/{self.container}/{self.stream}"


@dataclass(frozen=True)
class LogRequest:
    """Says from where to read."""

    follow: bool
    known: dict[str, str]
    """All sources that have a cursor, by name."""

    def cursor(self, source: LogSource) -> str:
        """The cursor of the last entry of source that arrived; "" = from the start."""
        return self.known.get(source.name, "")

    def offset(self, source: LogSource) -> int:
        """From where to read a source that is written with LogWriter.write."""
        c = self.cursor(source)
        return int(c) if c.isascii() and c.isdigit() else 0


@dataclass
class _State:
    """What the writer knows of one source."""

    proto: pb.LogSource
    cursor: str = ""
    """The author's last cursor."""
    skip: int = 0
    """Bytes behind it that were delivered before this attempt: dropped when they
    come again."""
    sent: int = 0
    """Bytes behind it that were delivered during this attempt."""
    ended: bool = False
    open: pb.LogsResponse | None = None
    """The message that is still being filled, while taken is the writer's."""
    size: int = 0
    taken: int = -1


@dataclass
class LogWriter:
    """All methods may be called from several threads; order is kept within a
    source. They block while the host is slow, and raise StreamEnded when nobody
    listens any more."""

    cursors: dict[str, str]
    ready: Callable[[], None] = lambda: None
    """Called, with the lock held, when there is something to take."""
    _lock: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        self._queue: list[pb.LogsResponse] = []
        self._queued = 0
        self._taken = 0
        self._closed = False
        self._failed = False
        self._wrote = False
        self._gone: pb.CouldNotAsk | None = None
        self._sources: dict[str, _State] = {}
        for name, wire in self.cursors.items():
            skip, cursor = parse_cursor(wire)
            self._sources[name] = _State(source_from_name(name), cursor, skip)

    # For authors.

    def entry(self, source: LogSource, data: bytes, cursor: str, time: datetime | float | None = None, partial: bool = False) -> None:
        """Writes whole lines that carry one and the same time, or with partial a
        part of one. cursor is the position behind them, at most 1,000 bytes."""
        with self._lock:
            s = self._source(source)
            view = memoryview(data)
            if s.skip > 0:
                n = min(s.skip, len(view))
                view = view[n:]
                s.skip -= n
                s.sent += n
                if not view and n > 0:
                    s.cursor, s.sent = cursor, 0
                    self._check()
                    return
            stamp = convert.timestamp(time)
            while len(view) > MAX_ENTRY:
                n, part = cut(view)
                s.sent += n
                # The author's cursor stands behind the whole entry: a resume in
                # its middle starts before it and drops what arrived.
                self._put(s, stamp, bytes(view[:n]), f"{s.sent}:{s.cursor}", part)
                view = view[n:]
            s.cursor, s.sent = cursor, 0
            self._put(s, stamp, bytes(view), f"0:{cursor}", partial)

    def write(self, source: LogSource, data: bytes, end: int, time: datetime | float | None = None) -> None:
        """Writes data of a source whose cursor is its byte offset: data ends at
        offset end. It may be any piece of a file as it was read."""
        with self._lock:
            s = self._source(source)
            stamp = convert.timestamp(time)
            at = end - len(data)
            view = memoryview(data)
            while view:
                n, part = cut(view)
                at += n
                s.cursor, s.sent = str(at), 0
                self._put(s, stamp, bytes(view[:n]), f"0:{at}", part)
                view = view[n:]
            self._check()

    def gap(self, source: LogSource, reason: str, proven: bool = False, size: int = 0) -> None:
        """Marks bytes that are missing (proven) or may be, before the next entry."""
        certainty = pb.LogGap.CERTAINTY_PROVEN if proven else pb.LogGap.CERTAINTY_POSSIBLE
        with self._lock:
            s = self._source(source)
            gap = pb.LogGap(certainty=certainty, reason=convert.bound(reason, MAX_TEXT), bytes=size)
            self._add(s, pb.LogsResponse(source=s.proto, gap=gap), ENTRY_OVERHEAD)

    def end(self, source: LogSource) -> None:
        """Says that source is over. Entries that come later are marked late."""
        with self._lock:
            self._end(self._source(source))

    # For the SDK.

    def _source(self, source: LogSource) -> _State:
        s = self._sources.get(source.name)
        if s is None:
            p = pb.LogSource(
                name=convert.line(source.name),
                attempt=source.attempt,
                epoch=source.epoch,
                node=source.node,
                container=convert.line(source.container),
                stream=convert.line(source.stream),
            )
            s = self._sources[source.name] = _State(p)
        return s

    def _check(self) -> None:
        if self._failed or self._closed:
            raise StreamEnded

    def _room(self) -> None:
        while not self._failed and not self._closed and self._queued >= LOG_QUEUED:
            self._lock.wait()
        self._check()

    def _put(self, s: _State, time: Timestamp | None, data: bytes, cursor: str, partial: bool) -> None:
        if not cursor.isascii():
            cursor = convert.line(cursor)
        size = len(data) + len(cursor) + ENTRY_OVERHEAD
        self._room()
        fresh = s.open is None or s.taken != self._taken or s.size + size > LOG_MESSAGE
        if self._gone is not None or fresh:
            m = pb.LogsResponse(source=s.proto)
            m.entries.add(time=time, data=data, cursor=cursor, partial=partial, late=s.ended)
            self._add(s, m, size)
            return
        assert s.open is not None
        s.open.entries.add(time=time, data=data, cursor=cursor, partial=partial, late=s.ended)
        s.size += size
        self._queued += size
        self._wrote = True

    def _add(self, s: _State | None, m: pb.LogsResponse, size: int) -> None:
        if s is not None:
            self._announce()
        self._room()
        self._queue.append(m)
        self._queued += size
        if s is not None:
            self._wrote = True
            s.open, s.size, s.taken = (None if m.end else m), size, self._taken
        self.ready()

    def _end(self, s: _State) -> None:
        if not s.ended:
            s.ended = True
            self._add(s, pb.LogsResponse(source=s.proto, end=True), ENTRY_OVERHEAD)

    def _announce(self) -> None:
        if self._gone is not None:
            self._gone = None
            self._add(None, pb.LogsResponse(reachability=pb.Reachability(reachable=True, since=now())), ENTRY_OVERHEAD)

    def take(self) -> tuple[list[pb.LogsResponse], bool]:
        """What is there now, and whether nothing more will come. Never waits."""
        with self._lock:
            out, self._queue, self._queued = self._queue, [], 0
            self._taken += 1
            self._lock.notify_all()
            return ([] if self._failed else out), self._failed or self._closed

    def fail(self) -> None:
        """Nobody listens any more."""
        with self._lock:
            self._failed = True
            self._lock.notify_all()
            self.ready()

    def close(self) -> None:
        """Everything was written; what is queued may still be taken."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
            self.ready()

    def request(self, follow: bool) -> LogRequest:
        """Where a (further) call of logs has to go on."""
        with self._lock:
            self._wrote = False
            known = {}
            for name, s in self._sources.items():
                s.skip += s.sent
                s.sent = 0
                if s.cursor:
                    known[name] = s.cursor
            return LogRequest(follow, known)

    def progress(self) -> bool:
        """Whether something was written since request."""
        with self._lock:
            return self._wrote

    def unreachable(self, error: BaseException) -> None:
        """Tells the host, once per reason, that nothing can be read."""
        c = convert.could_not_ask(error)
        with self._lock:
            g = self._gone
            if g is not None and g.reason == c.reason and g.diagnostic.summary == c.diagnostic.summary:
                return
            self._gone = None
            self._add(None, pb.LogsResponse(reachability=pb.Reachability(could_not_ask=c, since=now())), ENTRY_OVERHEAD)
            self._gone = c

    def reachable(self) -> None:
        """Tells the host that reading works again."""
        with self._lock:
            self._announce()

    def end_all(self) -> None:
        """Ends every source that has not been ended, also those that the host knows
        and that had nothing new."""
        with self._lock:
            for name in sorted(self._sources):
                self._end(self._sources[name])


def now() -> Timestamp:
    t = Timestamp()
    t.GetCurrentTime()
    return t


def cut(data: memoryview) -> tuple[int, bool]:
    """The length of the first piece: up to its last newline within the limit of an
    entry, else as much as an entry holds (then partial)."""
    head = bytes(data[:MAX_ENTRY])
    i = head.rfind(b"\n")
    return (i + 1, False) if i >= 0 else (len(head), True)


def parse_cursor(wire: str) -> tuple[int, str]:
    skip, colon, cursor = wire.partition(":")
    if not colon or not (skip.isascii() and skip.isdigit()):
        return 0, ""
    return int(skip), cursor


def source_from_name(name: str) -> pb.LogSource:
    """Rebuilds a source that the host named and the author has not written yet."""
    p = pb.LogSource(name=name)
    parts = name.split("/")
    if len(parts) >= 5:
        numbers = [int(x) if x.isascii() and x.isdigit() and int(x) < 1 << 31 else 0 for x in parts[:3]]
        p.attempt, p.epoch, p.node = numbers
        p.container, p.stream = "/".join(parts[3:-1]), parts[-1]
    return p
