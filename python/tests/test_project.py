"""The project of a call, without a process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from stephost_flavor import CancelOptions, Handle, Plan, Remote, Scope, Status, Step, errors
from stephost_flavor._proto import operator_pb2 as pb
from stephost_flavor.checks import plan, scope
from stephost_flavor.control import cancel
from stephost_flavor.implementation import RemoteImplementation
from stephost_flavor.manifest import read
from stephost_flavor.server import Server

MANIFEST = b'flavor "rooms" {\n  version = "1.0.0"\n  protocol = [1]\n  capabilities = ["cancel", "plan"]\n}\n'


@dataclass
class Roomy:
    """A config whose place is made of the project."""

    room: str = field(default="", init=False)

    def set_project(self, name: str) -> None:
        self.room = "room of " + name


class Rooms(Remote):
    Config = Roomy

    def submit(self, config: Any, step: Step) -> Handle:
        raise NotImplementedError

    def status(self, config: Any, handle: Handle) -> Status:
        raise NotImplementedError

    def cancel(self, config: Any, handle: Handle, options: CancelOptions) -> None:
        pass

    def scope(self, config: Roomy) -> Scope:
        return Scope(config.room)

    def plan(self, config: Roomy, step: Step, online: bool) -> Plan:
        return Plan(f"{config.room}: {step.project}")


def target(project: str, of: str) -> pb.Target:
    return pb.Target(config=pb.Values(json=b"{}"), project=project, scope=pb.Scope(id="room of " + of))


def test_each_call_is_for_its_project() -> None:
    async def run() -> None:
        server = Server(read(MANIFEST), RemoteImplementation(Rooms()))
        for _ in range(2):  # the second time the scopes are known
            for name in ("digits", "", "r\u00e4ume\u2028/", "digits"):
                t = target(name, name)
                assert (await scope(server, pb.ScopeRequest(target=t))).scope.id == "room of " + name
                c = server.begin(t)
                await server.scopes.check(c, 60)
                assert (await server.scopes.resolve(c, 60)).id == "room of " + name, "not another project's, from memory"
                planned = await plan(server, pb.PlanRequest(target=t, step=pb.Step(argv=["x"], settings=pb.Values(json=b"{}"))))
                assert planned.request == f"room of {name}: {name}", planned
        with pytest.raises(errors.WrongScope):  # not the one in memory, of another project
            other = server.begin(target("other", "digits"))
            await server.scopes.check(other, 60)
        wrong = await cancel(server, pb.CancelRequest(target=target("other", "digits"), handle=pb.Handle(version=1, data=b"x")))
        assert wrong.could_not_ask.reason == pb.CouldNotAsk.REASON_WRONG_SCOPE

    asyncio.run(run())
