"""Remembers the live scope per config, credentials and project, and compares it with the
stored one: another cluster's "no such job" is no news about ours."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from . import convert, errors
from .limits import MAX_SCOPE, MAX_SCOPES, SCOPE
from .status import Scope

if TYPE_CHECKING:
    from .author import Author
    from .call import Call


class Scopes:
    """Used in the event loop only."""

    def __init__(self, author: Author) -> None:
        self._author = author
        self._live: dict[str, tuple[Scope, float]] = {}

    async def resolve(self, call: Call, max_age: float) -> Scope:
        """The live scope, at most max_age seconds old."""
        if call.session.scope is None:
            return Scope("config:" + call.digest, "the place of this config")
        known = self._live.get(call.credentials)
        if known is not None and time.monotonic() - known[1] <= max_age:
            return known[0]
        at = time.monotonic()
        scope = await self._author.call("scope", SCOPE, call.session.scope)
        if not isinstance(scope, Scope) or not scope.id:
            raise errors.System("the flavor's scope returned no Scope with an id")
        # Made to fit, the ids of two places could be equal.
        if len(scope.id) > MAX_SCOPE or convert.bound(scope.id, MAX_SCOPE) != scope.id:
            raise errors.System(f"the flavor's scope returned an id that is no UTF-8 text of 1 to {MAX_SCOPE} bytes")
        if len(self._live) >= MAX_SCOPES:
            self._live.clear()
        self._live[call.credentials] = (scope, at)
        return scope

    async def check(self, call: Call, max_age: float) -> None:
        """Raises "could not ask" when the live scope is not the stored one."""
        stored = convert.scope_of(call.target.scope)
        if not stored.id:
            return
        live = await self.resolve(call, max_age)
        if live.id != stored.id and max_age > 0:
            live = await self.resolve(call, 0)  # the person may have just put it right
        if live.id != stored.id:
            raise errors.WrongScope(stored, live)
