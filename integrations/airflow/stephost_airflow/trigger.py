"""The deferred wait: asks for the record of a run until it has a verdict.

The triggerer needs the program stephost, and either the same STEPHOST_HOME or the
operator's configuration: then the backend is asked by token.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, AsyncIterator

from airflow.triggers.base import BaseTrigger, TriggerEvent

# The first question comes soon, for short steps; then the pause grows.
_FIRST = 1.0
_GROWTH = 1.5


class StephostTrigger(BaseTrigger):
    """Fires when a run is over."""

    def __init__(self, operator: str, token: str, poll_interval: float = 15.0) -> None:
        super().__init__()
        self.operator, self.token, self.poll_interval = operator, token, poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "stephost_airflow.trigger.StephostTrigger",
            {"operator": self.operator, "token": self.token, "poll_interval": self.poll_interval},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        pause = min(_FIRST, self.poll_interval)
        while True:
            record = await self._record()
            if record.get("verdict"):
                yield TriggerEvent({"token": self.token, "class": record["verdict"]["class"]})
                return
            await asyncio.sleep(pause)
            pause = min(pause * _GROWTH, self.poll_interval)

    async def _record(self) -> dict[str, Any]:
        """The record of the run; empty when it could not be asked for, which says
        nothing about the run."""
        from stephost import _cli

        words = _cli.argv([], "run", "show", "--operator", self.operator, "--token", self.token)
        p = await asyncio.create_subprocess_exec(
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_cli.environment(),
        )
        out, err = await p.communicate()
        try:
            item = json.loads(out)["item"]
        except (ValueError, KeyError):
            self.log.warning("stephost run show: %s", (out or err).decode("utf-8", "replace").strip()[:1000])
            return {}
        return dict(item)
