"""ReadOutput: lists the files of an output, or sends one.

Invariants:
  - `done` is sent when every byte was: an early end is "could not ask";
  - bytes of two versions are never joined: what the host has of another version
    makes the read begin anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from . import convert, errors
from ._proto import operator_pb2 as pb
from .call import Call
from .limits import CHECK, MAX_TEXT, OUTPUT_CHUNK, OUTPUT_LIST, OUTPUT_STALL, SCOPE_AGE
from .server import Server, absent, refused
from .status import Handle, OutputFile

Send = Callable[[pb.ReadOutputResponse], Awaitable[None]]


async def read_output(server: Server, r: pb.ReadOutputRequest, send: Send) -> None:
    try:
        c = server.begin(r.target, call="ReadOutput", key=r.key, location=r.location)
        handle = server.handle(r.handle, r.key, r.target)
    except Exception as e:
        raise refused(e) from None
    if c.session.open_output is None or c.session.output_files is None:
        raise absent("read_output")
    try:
        await server.scopes.check(c, SCOPE_AGE)
        what = r.WhichOneof("what")
        if what == "list":
            await _list(server, c, handle, r, send)
        elif what == "read":
            await _read(server, c, handle, r, send)
        else:
            raise errors.Config("", "the host did not say what to read of the output")
    except Exception as e:
        known = errors.find(e)
        if errors.ask_of(e) is not None or (known is None and isinstance(e, (OSError, TimeoutError))):
            await send(pb.ReadOutputResponse(could_not_ask=convert.could_not_ask(e)))
        else:
            await send(pb.ReadOutputResponse(diagnostics=convert.diagnostics(e)))
        return
    await send(pb.ReadOutputResponse(done=pb.ReadOutputResponse.Done()))


async def _list(server: Server, c: Call, handle: Handle, r: pb.ReadOutputRequest, send: Send) -> None:
    f = c.session.output_files
    assert f is not None
    files = await server.author.call("output_files", OUTPUT_LIST, lambda: list(f(handle, r.location)))
    if not files:
        raise errors.NoOutput
    for file in files:
        await send(_message(file, 0))


def _message(f: OutputFile, offset: int) -> pb.ReadOutputResponse:
    return pb.ReadOutputResponse(
        file=pb.OutputFile(name=convert.line(f.name), bytes=f.bytes, version=_version(f), modified_at=convert.timestamp(f.modified_at), offset=offset)
    )


def _version(f: OutputFile) -> str:
    return convert.bound(f.version, MAX_TEXT)


async def _read(server: Server, c: Call, handle: Handle, r: pb.ReadOutputRequest, send: Send) -> None:
    name, offset = r.read.name, r.read.offset
    if name and (any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name):
        raise errors.Config("", f"{convert.bound(name, 100)!r} is no name of a file below an output")
    if offset < 0:
        raise errors.Config("", f"an offset of {offset} bytes")
    f = c.session.open_output
    assert f is not None

    async def opened(at: int) -> tuple[OutputFile, BinaryIO]:
        return await server.author.call("open_output", CHECK, lambda: f(handle, r.location, name, at))

    try:
        file, body = await opened(offset)
    except errors.OutputRange:
        if offset == 0:
            raise
        offset = 0
        file, body = await opened(0)
    if offset > 0 and (_version(file) != r.read.version or 0 <= file.bytes < offset):
        _close(body)
        offset = 0
        file, body = await opened(0)
    with _closing(body):
        file.name = name
        await send(_message(file, offset))
        at = offset
        while data := await server.author.call("open_output", OUTPUT_STALL, lambda: body.read(OUTPUT_CHUNK)):
            at += len(data)
            if 0 <= file.bytes < at:
                raise errors.Unreachable("the file grew while it was read")
            await send(pb.ReadOutputResponse(data=data))
        if at < file.bytes:
            raise errors.Unreachable(f"the transfer ended after {at} of {file.bytes} bytes")


@contextmanager
def _closing(body: BinaryIO) -> Iterator[None]:
    try:
        yield
    finally:
        # Also when the host has left: a read that hangs in a thread ends with it.
        asyncio.get_running_loop().run_in_executor(None, _close, body)


def _close(body: BinaryIO) -> None:
    try:
        body.close()
    except Exception:
        pass  # everything that matters was read
