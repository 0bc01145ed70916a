"""The time between questions about one job."""

from __future__ import annotations

import random

from . import errors
from .limits import FAIL_FIRST, FAIL_GROWTH, FAIL_MAX, JITTER, POLL_CHANGED, POLL_FIRST, POLL_GROWTH, POLL_MAX, THROTTLE_MAX


class Pace:
    """Quick at first and after a change, slow later; slower after failures."""

    def __init__(self) -> None:
        self._pause = 0.0
        self._fail = 0.0

    def changed(self) -> None:
        """The job changed its phase: the next change is often near."""
        self._pause = min(self._pause or POLL_CHANGED, POLL_CHANGED)

    def next(self) -> float:
        """Seconds to wait after an answer."""
        self._fail = 0.0
        d = max(self._pause, POLL_FIRST)
        self._pause = min(d * POLL_GROWTH, POLL_MAX)
        return _jittered(d)

    def failed(self, error: BaseException) -> float:
        """Seconds to wait after an error."""
        d = max(self._fail, FAIL_FIRST)
        self._fail = min(d * FAIL_GROWTH, FAIL_MAX)
        e = errors.ask_of(error)
        if e is not None and e.retry_after > 0:
            # Earlier than asked for is never right; a little later is.
            after = min(e.retry_after, THROTTLE_MAX)
            return max(_jittered(d), after * (1 + random.random() / 10))
        return _jittered(d)


def _jittered(d: float) -> float:
    return d * (1 - JITTER + 2 * JITTER * random.random())
