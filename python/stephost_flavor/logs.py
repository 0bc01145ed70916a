"""Logs: runs the author's logs method until it has read everything.

The method runs in a thread of its own, the handler sends: while a message is on
its way the next one fills, so batches grow by themselves when the host is slow
and stay small when it is quick.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from . import convert
from ._proto import operator_pb2 as pb
from .author import guard
from .call import Call
from .limits import REACHABLE_AFTER, SCOPE_AGE
from .logwriter import LogRequest, LogWriter, StreamEnded
from .pace import Pace
from .server import Server, absent, refused, safely
from .status import Handle

Send = Callable[[pb.LogsResponse], Awaitable[None]]


async def logs(server: Server, r: pb.LogsRequest, send: Send) -> None:
    try:
        c = server.begin(r.target, call="Logs", key=r.key)
        handle = server.handle(r.handle, r.key, r.target)
    except Exception as e:
        raise refused(e) from None
    if c.session.logs is None:
        raise absent("logs")
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    w = LogWriter(dict(r.cursors), ready=lambda: safely(loop, ready.set))
    reading = asyncio.ensure_future(_read(server, c, handle, r.follow, w))
    try:
        while True:
            await ready.wait()
            ready.clear()
            messages, over = w.take()
            for m in messages:
                await send(m)
            if over and not messages:
                return
            if over:
                ready.set()  # look once more: something may have come meanwhile
    finally:
        w.fail()
        reading.cancel()


async def _read(server: Server, c: Call, handle: Handle, follow: bool, w: LogWriter) -> None:
    """Calls the method until it returns without an exception, each time from the
    last cursors."""
    pace = Pace()
    try:
        while True:
            request = w.request(follow)
            error: BaseException | None = None
            try:
                await server.scopes.check(c, SCOPE_AGE)
                done: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
                server.author.thread("logs", _reader(c, handle, request, w, done))
                finished, _ = await asyncio.wait([done], timeout=REACHABLE_AFTER)
                if not finished:
                    await _in_thread(w.reachable)
                error = await done
            except Exception as e:
                error = e
            if isinstance(error, StreamEnded):
                return
            if error is None:
                await _in_thread(w.reachable)
                if follow:
                    await _in_thread(w.end_all)
                return
            if w.progress():
                pace = Pace()
            failed = error
            await _in_thread(lambda: w.unreachable(failed))
            await asyncio.sleep(pace.failed(error))
    except StreamEnded:
        pass
    finally:
        w.close()


async def _in_thread(f: Callable[[], None]) -> None:
    """The writer blocks while the host is slow, and the event loop must not."""
    await asyncio.get_running_loop().run_in_executor(None, f)


def _reader(c: Call, handle: Handle, request: LogRequest, w: LogWriter, done: asyncio.Future[BaseException | None]) -> Callable[[], None]:
    loop = asyncio.get_running_loop()
    read = c.session.logs
    assert read is not None

    def settle(result: BaseException | None) -> None:
        if not done.done():
            done.set_result(result)

    def run() -> None:
        try:
            read(handle, request, w)
        except StreamEnded as e:
            safely(loop, lambda e=e: settle(e))  # type: ignore[misc]
        else:
            safely(loop, lambda: settle(None))

    def logged() -> None:
        try:
            guard("logs", run)
        except Exception as e:
            safely(loop, lambda e=e: settle(e))  # type: ignore[misc]

    return logged
