"""Watch: the status of one job until its end.

One task asks, the handler sends, so that a slow backend never delays a heartbeat.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from . import convert, errors
from ._proto import operator_pb2 as pb
from .call import Call
from .limits import HEARTBEAT, MIN_HEARTBEAT, POLL_CHANGED, SCOPE_AGE, STATUS
from .pace import Pace
from .server import Server, refused, safely
from .status import Handle, Phase, Status

Send = Callable[[pb.WatchResponse], Awaitable[None]]


@dataclass
class Observation:
    """One answer about a job, or why there was none. at: seconds since 1970."""

    status: Status | None
    error: BaseException | None
    at: float

    @property
    def terminal(self) -> bool:
        return self.status is not None and self.status.phase.terminal


async def watch(server: Server, r: pb.WatchRequest, send: Send) -> None:
    try:
        c = server.begin(r.target, call="Watch", key=r.key)
        handle = server.handle(r.handle, r.key, r.target)
    except Exception as e:
        raise refused(e) from None
    beat = convert.seconds(r.heartbeat_interval)
    w = _Watch(server, c, handle, HEARTBEAT if beat < MIN_HEARTBEAT else beat, send)
    remove = server.wake_on(r.key, w.wake.set)
    asking = asyncio.ensure_future(w.listen() if c.session.watch is not None else w.poll())
    try:
        await w.send_all(asking)
    finally:
        remove()
        asking.cancel()
        w.over = True


class _Watch:
    def __init__(self, server: Server, call: Call, handle: Handle, beat: float, send: Send) -> None:
        self.server, self.call, self.handle, self.beat, self.send = server, call, handle, beat, send
        self.out: asyncio.Queue[Observation] = asyncio.Queue(1)
        self.wake = asyncio.Event()
        self.over = False
        self.sequence = 0
        self.last: pb.Status | None = None
        self.confirmed: Timestamp | None = None
        self.unreachable: pb.CouldNotAsk | None = None
        self.hanging: asyncio.Future[Status] | None = None

    async def ask(self) -> Observation:
        """Reads the job once."""
        at = time.time()
        try:
            await self.server.scopes.check(self.call, SCOPE_AGE)
            return await self.settle(await self._status(), at)
        except Exception as e:
            return Observation(None, e, at)

    async def _status(self) -> Status:
        # A status call that hangs is waited for again, not made again: each one
        # more would cost a thread.
        future = self.hanging or self.server.author.start("status", lambda: self.call.session.status(self.handle))
        self.hanging = future
        done, _ = await asyncio.wait([future], timeout=STATUS)
        if not done:
            raise errors.Unreachable(f"status did not return within {STATUS:g} s")
        self.hanging = None
        return future.result()

    async def settle(self, status: Status, at: float) -> Observation:
        """Makes an observation final. LOST is believed only when the scope is still
        ours: a changed context or profile shows here."""
        if not isinstance(status, Status):
            return Observation(None, errors.System(f"status returned {type(status).__name__}, not a Status"), at)
        if status.phase == Phase.LOST:
            try:
                await self.server.scopes.check(self.call, 0)
            except Exception as e:
                return Observation(None, e, at)
        if status.observed_at is not None:
            at = status.observed_at.timestamp()
        return Observation(status, None, at)

    async def sleep(self, seconds: float) -> bool:
        """Whether it was woken."""
        try:
            await asyncio.wait_for(self.wake.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        self.wake.clear()
        return True

    async def poll(self) -> None:
        """Asks at the pace of the job until it is over."""
        pace, phase = Pace(), Phase.UNSPECIFIED
        while True:
            o = await self.ask()
            await self.out.put(o)
            if o.terminal:
                return
            if o.status is None:
                assert o.error is not None
                pause = pace.failed(o.error)
            else:
                if phase not in (Phase.UNSPECIFIED, o.status.phase):
                    pace.changed()
                phase = o.status.phase
                pause = pace.next()
            if await self.sleep(pause):
                pace = Pace()

    async def listen(self) -> None:
        """Runs the author's watch, and asks status when it has been silent: the
        host's timers count only what was confirmed."""
        pace = Pace()
        while True:
            heard: asyncio.Queue[Status | BaseException | None] = asyncio.Queue()
            try:
                await self.server.scopes.check(self.call, SCOPE_AGE)
                self.server.author.thread("watch", self._reader(heard))
            except Exception as e:
                heard.put_nowait(e)
            while True:
                try:
                    item = await asyncio.wait_for(heard.get(), max(self.beat, POLL_CHANGED))
                except asyncio.TimeoutError:
                    o = await self.ask()
                else:
                    if not isinstance(item, Status):
                        break
                    o = await self.settle(item, time.time())
                    if o.error is None:
                        pace = Pace()
                await self.out.put(o)
                if o.terminal:
                    return
            error = item or errors.Unreachable("the flavor's watch ended before the job did")
            await self.out.put(Observation(None, error, time.time()))
            if await self.sleep(pace.failed(error)):
                pace = Pace()

    def _reader(self, heard: asyncio.Queue[Status | BaseException | None]) -> Callable[[], None]:
        loop = asyncio.get_running_loop()
        watch = self.call.session.watch
        assert watch is not None

        def put(item: Status | BaseException | None) -> None:
            safely(loop, lambda: heard.put_nowait(item))

        def run() -> None:
            try:
                for status in watch(self.handle):
                    if self.over:
                        return
                    put(status)
                    if status.phase.terminal:
                        return
            except Exception as e:
                put(e)
            else:
                put(None)

        return run

    async def send_all(self, asking: asyncio.Future[None]) -> None:
        """Makes the stream of what was observed."""
        next_beat = time.monotonic() + self.beat
        while True:
            try:
                o = await asyncio.wait_for(self.out.get(), max(0.0, next_beat - time.monotonic()))
            except asyncio.TimeoutError:
                if asking.done() and self.out.empty():
                    asking.result()  # a mistake of this file: better an error than silence
                await self.send(pb.WatchResponse(heartbeat=pb.Heartbeat(confirmed_at=self.confirmed)))
                next_beat = time.monotonic() + self.beat
                continue
            if await self.observed(o):
                next_beat = time.monotonic() + self.beat
            if o.terminal:
                return

    async def observed(self, o: Observation) -> bool:
        """Sends what is new in o."""
        if o.status is None:
            assert o.error is not None
            return await self.could_not_ask(o.error, o.at)
        self.confirmed = convert.timestamp(o.at)
        sent = self.unreachable is not None
        if sent:
            self.unreachable = None
            await self.send(pb.WatchResponse(reachability=pb.Reachability(reachable=True, since=self.confirmed)))
        if o.terminal:
            await self.send(pb.WatchResponse(terminal=convert.terminal_proto(o.status)))
            return True
        news = convert.status_proto(o.status, o.at)
        if self.last is not None:
            news.phase = keep_phase(self.last, news)  # type: ignore[assignment]
            same = pb.Status()
            same.CopyFrom(self.last)
            same.sequence = news.sequence
            same.observed_at.CopyFrom(news.observed_at)
            if same == news:
                return sent
        self.sequence += 1
        news.sequence = self.sequence
        self.last = news
        await self.send(pb.WatchResponse(status=news))
        return True

    async def could_not_ask(self, error: BaseException, at: float) -> bool:
        """Sends a Reachability event when the reason is a new one."""
        c = convert.could_not_ask(error)
        if self.unreachable is not None and self.unreachable.reason == c.reason and self.unreachable.diagnostic == c.diagnostic:
            return False
        self.unreachable = c
        await self.send(pb.WatchResponse(reachability=pb.Reachability(could_not_ask=c, since=convert.timestamp(at))))
        return True


def keep_phase(last: pb.Status, news: pb.Status) -> int:
    """The contract's rule for phases: no news keeps the last one, and a job goes
    back only with one more restart."""
    if news.phase == pb.PHASE_UNSPECIFIED:
        return last.phase
    if news.phase < last.phase and news.restarts <= last.restarts:
        return last.phase
    return news.phase
