"""Calls the author's code: in threads, bounded, with its exceptions logged."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from . import errors
from .log import account

T = TypeVar("T")

log = logging.getLogger("stephost_flavor")

# Threads for short calls. They are made when there is no idle one; the bound only
# keeps a backend that hangs for everybody from taking the machine with it.
_MAX_THREADS = 512


class Author:
    """Runs functions of the author. Nothing of it can end the process; a call that
    never returns costs its thread."""

    def __init__(self, least: float = 0) -> None:
        """least: no bound is shorter, in seconds."""
        self._least = least
        self._pool = ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="flavor")

    def start(self, what: str, f: Callable[[], T]) -> asyncio.Future[T]:
        """Starts f in a thread of the pool."""
        context = contextvars.copy_context()
        return asyncio.get_running_loop().run_in_executor(self._pool, context.run, guard, what, f)

    async def call(self, what: str, limit: float, f: Callable[[], T]) -> T:
        """Runs f and waits for it at most limit seconds, then raises Unreachable: f
        goes on, and its result is dropped."""
        limit = max(limit, self._least)
        future = self.start(what, f)
        done, _ = await asyncio.wait([future], timeout=limit)
        if done:
            return future.result()
        future.add_done_callback(_drop)
        raise errors.Unreachable(f"{what} did not return within {limit:g} s")

    def thread(self, what: str, f: Callable[[], None]) -> None:
        """Runs f, which may take as long as a job, in a thread of its own."""
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(f,), name=f"flavor-{what}", daemon=True).start()


def _drop(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def guard(what: str, f: Callable[[], T]) -> T:
    """Runs f. Exceptions that look like a mistake in the code go with
    their traceback to the host, which shows it after everything else; what else they mean is up to the caller. Nothing but an
    Exception comes out: SystemExit in a thread would end up nowhere."""
    try:
        return f()
    except Exception as e:
        if errors.find(e) is None and not isinstance(e, (OSError, TimeoutError)):
            account(what, e)
        raise
    except BaseException as e:
        account(what, e)
        raise errors.System(f"{what} raised {type(e).__name__}") from None
