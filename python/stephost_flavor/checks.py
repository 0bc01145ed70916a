"""GetMetadata, Validate, Plan, Scope, RegistryAuth."""

from __future__ import annotations

from collections.abc import Callable

from . import convert, errors
from ._proto import operator_pb2 as pb
from .call import Call
from .interface import RegistryCredentials, RegistryRequest
from .limits import CHECK
from .refusals import Absent
from .server import Server, absent
from .status import Class, Plan
from .step import Step


async def metadata(server: Server, _request: pb.GetMetadataRequest) -> pb.GetMetadataResponse:
    return server.metadata()


def _step(c: Call, r: pb.ValidateRequest | pb.PlanRequest) -> Step | None:
    if not r.HasField("step"):
        return None
    step = convert.step_of(r.step, r.target)
    c.session.fill(step, r.step.settings)
    return step


async def validate(server: Server, r: pb.ValidateRequest) -> pb.ValidateResponse:
    step: Step | None = None
    found: list[pb.Diagnostic] = []
    try:
        c = server.begin(r.target, call="Validate")
        step = _step(c, r)
    except Exception as e:
        return pb.ValidateResponse(diagnostics=convert.diagnostics(e))

    async def run(what: str, f: Callable[[Step | None], None]) -> None:
        try:
            await server.author.call(what, CHECK, lambda: f(step))
        except Exception as e:
            found.extend(convert.diagnostics(e))

    if c.session.validate is not None:
        await run("validate", c.session.validate)
    if r.online and c.session.preflight is not None:
        await run("preflight", c.session.preflight)
    return pb.ValidateResponse(diagnostics=found + convert.warnings_of(step))


async def plan(server: Server, r: pb.PlanRequest) -> pb.PlanResponse:
    step: Step | None = None
    try:
        c = server.begin(r.target, call="Plan", run=r.step.run_id)
        if (f := c.session.plan) is None:
            raise absent("plan")
        step = _step(c, r)
        if step is None:
            raise errors.System("the host sent a Plan without a step")
        planned: Plan = await server.author.call("plan", CHECK, lambda: f(step, r.online))
    except Absent:
        raise
    except Exception as e:
        return pb.PlanResponse(format="text", diagnostics=convert.diagnostics(e) + convert.warnings_of(step))
    return pb.PlanResponse(
        request=planned.request.encode("utf-8", "replace").decode(),
        format=convert.line(planned.format) or "text",
        notes=convert.texts(planned.notes),
        diagnostics=convert.warnings_of(step),
    )


async def scope(server: Server, r: pb.ScopeRequest) -> pb.ScopeResponse:
    try:
        c = server.begin(r.target, call="Scope")
    except Exception as e:
        return pb.ScopeResponse(diagnostics=convert.diagnostics(e))
    try:
        s = await server.scopes.resolve(c, 0)
    except Exception as e:
        if errors.ask_of(e) is None and errors.class_of(e) == Class.CONFIG:
            # What a person wrote is wrong: asking again cannot help.
            return pb.ScopeResponse(diagnostics=convert.diagnostics(e))
        return pb.ScopeResponse(could_not_ask=convert.could_not_ask(e))
    return pb.ScopeResponse(scope=pb.Scope(id=s.id, display=convert.line(str(s))))


async def registry_auth(server: Server, r: pb.RegistryAuthRequest) -> pb.RegistryAuthResponse:
    try:
        c = server.begin(r.target, call="RegistryAuth", registry=r.registry)
    except Exception as e:
        return pb.RegistryAuthResponse(diagnostics=convert.diagnostics(e))
    if (f := c.session.registry_auth) is None:
        raise absent("registry_auth")
    request = RegistryRequest(r.registry, r.repository, r.push, r.create)
    try:
        a: RegistryCredentials = await server.author.call("registry_auth", CHECK, lambda: f(request))
    except errors.NotOurs:
        return pb.RegistryAuthResponse(not_ours=True)
    except Exception as e:
        return pb.RegistryAuthResponse(diagnostics=convert.diagnostics(e))
    return pb.RegistryAuthResponse(
        username=convert.line(a.username), password=pb.Secret(value=convert.line(a.password.reveal())), expires_at=convert.timestamp(a.expires_at), created=a.created
    )
