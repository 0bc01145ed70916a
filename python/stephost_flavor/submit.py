"""Prepare and Submit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from . import convert, errors
from ._proto import operator_pb2 as pb
from .call import Call
from .limits import MAX_HANDLE, MAX_PREPARED, MAX_TEXT, SCOPE_AGE, SUBMIT, SUBMIT_SLACK
from .server import Server, absent, safely
from .status import Handle, Prepared
from .step import Step


async def submit(server: Server, r: pb.SubmitRequest) -> pb.SubmitResponse:
    """Makes the one creating call. Crash cases: the host dies while the call is on
    the wire (it goes on: package serve does not cancel it, and Find brings the job
    back); the author's code hangs or raises (UNCERTAIN: the backend may have
    accepted)."""
    if not r.HasField("step") or not r.step.key or not r.step.argv:
        return nothing_sent(errors.System("the host sent a Submit without step, key or argv"))
    try:
        c = server.begin(r.target, call="Submit", run=r.step.run_id, key=r.step.key)
        step = convert.step_of(r.step, r.target)
        c.session.fill(step, r.step.settings)
        step.prepared, step.request_digest = r.prepared, r.request_digest
        await server.scopes.check(c, SCOPE_AGE)
    except Exception as e:
        return nothing_sent(e)
    return await _submit(server, c, step)


async def _submit(server: Server, c: Call, step: Step) -> pb.SubmitResponse:
    # The scope may have taken its part of the contract's 60 s.
    limit = SUBMIT + SUBMIT_SLACK
    try:
        h: Handle = await server.author.call("submit", limit, lambda: c.session.submit(step))
        if not isinstance(h, Handle):
            raise errors.System(f"submit returned {type(h).__name__}, not a Handle")
        if len(h.data) > MAX_HANDLE:
            raise errors.System(f"the handle has {len(h.data)} bytes, more than {MAX_HANDLE}")
        accepted = pb.SubmitResponse.Accepted(
            handle=convert.handle_proto(h), existing=h.existing, url=convert.line(h.url), native_name=convert.line(h.native_name)
        )
    except Exception as e:
        answer = nothing_sent(e) if errors.is_rejected(e) else uncertain(e)
        answer.diagnostics.extend(convert.warnings_of(step))
        return answer
    return pb.SubmitResponse(accepted=accepted, diagnostics=convert.warnings_of(step))


def nothing_sent(error: BaseException) -> pb.SubmitResponse:
    """The answer where the backend certainly holds nothing: it is asked again when
    only the asking failed, and the attempt is over otherwise."""
    found = convert.diagnostics(error)
    if errors.ask_of(error) is not None:
        return pb.SubmitResponse(not_sent=pb.SubmitResponse.NotSent(could_not_ask=convert.could_not_ask(error)), diagnostics=found)
    return pb.SubmitResponse(rejected=pb.SubmitResponse.Rejected(), diagnostics=found)


def uncertain(error: BaseException) -> pb.SubmitResponse:
    return pb.SubmitResponse(uncertain=pb.SubmitResponse.Uncertain(), diagnostics=convert.diagnostics(error))


async def prepare(server: Server, r: pb.PrepareRequest, send: Callable[[pb.PrepareResponse], Awaitable[None]]) -> None:
    step: Step | None = None
    last = pb.PrepareResponse()
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def progress(line: str) -> None:
        safely(loop, lambda: lines.put_nowait(line))

    try:
        c = server.begin(r.target, call="Prepare", run=r.step.run_id)
    except Exception as e:
        await send(pb.PrepareResponse(diagnostics=convert.diagnostics(e)))
        return
    if (f := c.session.prepare) is None:
        raise absent("prepare")
    try:
        step = convert.step_of(r.step, r.target)
        c.session.fill(step, r.step.settings)
        await server.scopes.check(c, SCOPE_AGE)
        s = step
        work = server.author.start("prepare", lambda: f(s, progress))
        work.add_done_callback(lambda _: lines.put_nowait(None))
        while (line := await lines.get()) is not None:
            await send(pb.PrepareResponse(progress=convert.bound(str(line), MAX_TEXT)))
        done: Prepared = work.result() or Prepared()
        if len(done.data) > MAX_PREPARED:
            raise errors.System(f"prepare returned {len(done.data)} bytes, more than {MAX_PREPARED}")
        last.done.CopyFrom(pb.PrepareResponse.Done(prepared=done.data, resources=convert.texts(done.resources)))
    except Exception as e:
        if errors.ask_of(e) is not None:
            last.could_not_ask.CopyFrom(convert.could_not_ask(e))
        else:
            last.diagnostics.extend(convert.diagnostics(e))
    last.diagnostics.extend(convert.warnings_of(step))
    await send(last)
