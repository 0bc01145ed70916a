"""The contract made of a flavor: one coroutine per call, the author's code in
threads.

Invariants:
  - an exception of a read means "could not ask" and never becomes a verdict;
  - Submit answers REJECTED only for an error that the author wrapped in Rejected;
  - a job is called LOST only after the live scope was compared once more;
  - a Watch sends exactly one terminal event, as its last message;
  - an author's method that hangs or raises harms only its call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from . import convert, errors, log
from ._proto import operator_pb2 as pb
from .author import Author
from .call import Call, digest_of
from .implementation import Implementation
from .limits import ATTACHED, LAUNCH_STOP
from .manifest import Manifest
from .refusals import Absent, Refused, Stopping, Stranger
from .scopes import Scopes
from .status import Handle
from .version import VERSION

Context = Any
"""grpc.aio.ServicerContext; grpcio has no types of its own."""


class Server:
    """All state of the contract's side. Lives in one event loop."""

    def __init__(self, manifest: Manifest, implementation: Implementation, attached: bool = False) -> None:
        implementation.check(manifest)
        self.manifest = manifest
        self.implementation = implementation
        self.author = Author(ATTACHED if attached else 0)
        self.scopes = Scopes(self.author)
        self._wakes: dict[str, set[Callable[[], None]]] = {}
        loop = asyncio.get_running_loop()
        implementation.on_change(lambda key: safely(loop, lambda: self.nudge(key)))

    def handle(self, h: pb.Handle, key: str, target: pb.Target) -> Handle:
        """The author's form of a handle. One of a version that the manifest does not
        list is refused: guessing at its content could tell, or end, another job."""
        handle = convert.handle_of(h, key, target)
        m = self.manifest
        if handle.version not in m.handles:
            raise errors.System(
                f"this is flavor {m.name} {m.version}, which reads handles of version {m.handles}, and the job has one of version "
                f"{handle.version}: use the version of the flavor that the run was launched with"
            )
        return handle

    def begin(self, target: pb.Target, **fields: str) -> Call:
        """Decodes the config of a call and names it in the log."""
        log.fields.set({k: v for k, v in {"operator": target.operator, **fields}.items() if v})
        d = target.manifest_digest
        if d and d != self.manifest.digest:
            raise errors.Config(
                "",
                f"this is flavor {self.manifest.name} {self.manifest.version}, but the config was validated with another manifest "
                f"({d} instead of {self.manifest.digest})",
            )
        session = self.implementation.open(target.config)
        if callable(set_project := getattr(type(session.config), "set_project", None)):
            set_project(session.config, target.project)
        credentials = digest_of(target.config, True) + "/" + target.project
        return Call(target, session, digest_of(target.config, False), credentials)

    def metadata(self) -> pb.GetMetadataResponse:
        m = self.manifest
        return pb.GetMetadataResponse(
            flavor=m.name, version=m.version, protocol=m.protocol, manifest_digest=m.digest, sdk="stephost-python/" + VERSION
        )

    def wake_on(self, key: str, wake: Callable[[], None]) -> Callable[[], None]:
        """Calls wake for every nudge of key, until the returned function is."""
        self._wakes.setdefault(key, set()).add(wake)

        def remove() -> None:
            wakes = self._wakes.get(key, set())
            wakes.discard(wake)
            if not wakes:
                self._wakes.pop(key, None)

        return remove

    def nudge(self, key: str) -> None:
        """Makes every watch of a job look at once."""
        for wake in list(self._wakes.get(key, ())):
            wake()

    def close(self) -> None:
        """Ends what the implementation runs in this process."""
        self.implementation.close(LAUNCH_STOP)


def safely(loop: asyncio.AbstractEventLoop, f: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(f)
    except RuntimeError:
        pass  # the loop is closed: nobody watches any more


def handlers(server: Server, enter: Callable[[str, Any, Awaitable[Any]], Awaitable[Any]]) -> Any:
    """The service's generic handler, made from its descriptor. enter wraps each
    call: it refuses, keeps account of and cancels them."""
    from . import checks, control, logs, outputs, submit, watch

    unary: dict[str, Callable[[Server, Any], Awaitable[Any]]] = {
        "GetMetadata": checks.metadata,
        "Validate": checks.validate,
        "Plan": checks.plan,
        "Scope": checks.scope,
        "RegistryAuth": checks.registry_auth,
        "Submit": submit.submit,
        "Find": control.find,
        "Cancel": control.cancel,
        "Cleanup": control.cleanup,
    }
    streams: dict[str, Callable[[Server, Any, Callable[[Any], Awaitable[None]]], Awaitable[None]]] = {
        "Prepare": submit.prepare,
        "Watch": watch.watch,
        "Logs": logs.logs,
        "ReadOutput": outputs.read_output,
    }
    service = pb.DESCRIPTOR.services_by_name["StepOperator"]
    out: dict[str, Any] = {}
    for method in service.methods:
        request = getattr(pb, method.input_type.name)
        kinds = {"request_deserializer": request.FromString, "response_serializer": lambda m: m.SerializeToString()}
        if method.name in unary:
            out[method.name] = grpc.unary_unary_rpc_method_handler(_unary(server, enter, method.name, unary[method.name]), **kinds)
        else:
            out[method.name] = grpc.unary_stream_rpc_method_handler(_stream(server, enter, method.name, streams[method.name]), **kinds)
    return grpc.method_handlers_generic_handler(service.full_name, out)


def _unary(server: Server, enter: Any, name: str, f: Any) -> Callable[[Any, Context], Awaitable[Any]]:
    async def handler(request: Any, context: Context) -> Any:
        return await _answer(context, enter(name, context, f(server, request)))

    return handler


def _stream(server: Server, enter: Any, name: str, f: Any) -> Callable[[Any, Context], Awaitable[None]]:
    async def handler(request: Any, context: Context) -> None:
        await _answer(context, enter(name, context, f(server, request, context.write)))

    return handler


async def _answer(context: Context, work: Awaitable[Any]) -> Any:
    """Turns what is not an answer into a status."""
    try:
        return await work
    except Absent as e:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, str(e))
    except Refused as e:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(e))
    except Stopping as e:
        await context.abort(grpc.StatusCode.UNAVAILABLE, str(e))
    except Stranger as e:
        await context.abort(grpc.StatusCode.UNAUTHENTICATED, str(e))


def absent(capability: str) -> Absent:
    return Absent(f'the flavor has no capability "{capability}"')


def refused(error: BaseException) -> Refused:
    return Refused(convert.text_of(error))
