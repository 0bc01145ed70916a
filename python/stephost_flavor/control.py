"""Find, Cancel, Cleanup."""

from __future__ import annotations

from . import convert, errors
from ._proto import operator_pb2 as pb
from .limits import CHECK, CLEANUP
from .server import Server, absent
from .status import CancelOptions, Found, Query, What


async def find(server: Server, r: pb.FindRequest) -> pb.FindResponse:
    """Asks in the live scope only: another cluster's ABSENT would let the host
    submit twice."""
    try:
        c = server.begin(r.target, call="Find", key=r.key, token=r.run_token)
    except Exception as e:
        return pb.FindResponse(could_not_ask=convert.could_not_ask(e))
    if (f := c.session.find) is None:
        raise absent("find")
    try:
        await server.scopes.check(c, 0)
        found: Found = await server.author.call("find", CHECK, lambda: f(Query(r.key, r.run_token)))
        jobs = [
            pb.FindResponse.Job(
                key=convert.line(j.handle.key) or r.key,
                attempt=j.attempt,
                handle=convert.handle_proto(j.handle),
                request_digest=convert.line(j.request_digest),
                incomplete=j.incomplete,
                phase=int(j.phase),  # type: ignore[arg-type]
                created_at=convert.timestamp(j.created_at),
                native_name=convert.line(j.handle.native_name),
                url=convert.line(j.handle.url),
                run_id=convert.line(j.run_id),
            )
            for j in found.jobs
        ]
    except Exception as e:
        return pb.FindResponse(could_not_ask=convert.could_not_ask(e))
    answer = pb.FindResponse(outcome=pb.FindResponse.OUTCOME_ABSENT, jobs=jobs)
    if jobs:
        answer.outcome = pb.FindResponse.OUTCOME_FOUND
    elif found.undetermined:
        answer.outcome = pb.FindResponse.OUTCOME_UNDETERMINED
    if found.ask_again_after > 0:
        answer.ask_again_after.CopyFrom(convert.duration(found.ask_again_after))
    return answer


async def cancel(server: Server, r: pb.CancelRequest) -> pb.CancelResponse:
    """Asks the flavor, and makes every watch of the job look at once, so that the
    confirmation is seen soon."""
    try:
        c = server.begin(r.target, call="Cancel", key=r.key)
        await server.scopes.check(c, 0)
        handle = server.handle(r.handle, r.key, r.target)
        options = CancelOptions(convert.seconds(r.grace), r.force)
        try:
            await server.author.call("cancel", CHECK, lambda: c.session.cancel(handle, options))
        finally:
            server.nudge(r.key)
    except errors.AlreadyOver:
        return pb.CancelResponse(already_over=pb.CancelResponse.AlreadyOver())
    except Exception as e:
        return pb.CancelResponse(could_not_ask=convert.could_not_ask(e))
    return pb.CancelResponse(accepted=pb.CancelResponse.Accepted())


async def cleanup(server: Server, r: pb.CleanupRequest) -> pb.CleanupResponse:
    try:
        c = server.begin(r.target, call="Cleanup", key=r.key)
    except Exception as e:
        return pb.CleanupResponse(could_not_ask=convert.could_not_ask(e))
    if (f := c.session.cleanup) is None:
        raise absent("cleanup")
    try:
        if r.what not in (pb.CleanupRequest.WHAT_LEFTOVERS, pb.CleanupRequest.WHAT_RECORD):
            # Guessing could remove the record, which is the proof that a run existed.
            raise errors.System("the host did not say what to clean up")
        await server.scopes.check(c, 0)
        handle, what = server.handle(r.handle, r.key, r.target), What(int(r.what))
        await server.author.call("cleanup", CLEANUP, lambda: f(handle, what))
    except Exception as e:
        if errors.ask_of(e) is not None:
            return pb.CleanupResponse(could_not_ask=convert.could_not_ask(e))
        return pb.CleanupResponse(diagnostics=convert.diagnostics(e))
    return pb.CleanupResponse()
