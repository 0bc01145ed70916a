"""For tests of a Launcher: runs a step without a host.

The contract as a whole is checked by stephost's conformance suite, for both kinds.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .author import guard
from .interface import Launcher
from .launcher_logs import LogFile
from .step import Cancellation, Directory, Environment, LaunchStep, Secret


@dataclass
class Launched:
    """A step that runs, or has run, in a thread."""

    cancelled: Cancellation = field(default_factory=Cancellation)
    """Set it to cancel the step."""
    progress: list[str] = field(default_factory=list)
    error: BaseException | None = None
    """What launch raised; None = success."""
    stdout: bytes = b""
    stderr: bytes = b""
    _thread: threading.Thread | None = None

    def wait(self, seconds: float = 60.0) -> Launched:
        """Waits for the end; TimeoutError when it does not come."""
        assert self._thread is not None
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise TimeoutError(f"launch did not return within {seconds:g} s")
        return self


def launch(
    flavor: Launcher,
    argv: Sequence[str],
    *,
    config: Any = None,
    settings: Any = None,
    env: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Launched:
    """Starts flavor.launch with a step of these values, in an empty directory."""
    out = Launched()

    def run() -> None:
        with tempfile.TemporaryDirectory() as d:
            work = os.path.join(d, "work")
            os.mkdir(work)
            step = LaunchStep(
                run_id="run",
                token="token",
                key=os.urandom(13).hex(),
                attempt=1,
                argv=list(argv),
                env=dict(env or {}),
                secrets={k: Secret(v) for k, v in (secrets or {}).items()},
                name="step",
                environment=Environment(directory=Directory(work)),
                config=config,
                settings=settings,
                run_dir=d,
                stdout=LogFile(os.path.join(d, "stdout")),
                stderr=LogFile(os.path.join(d, "stderr")),
                cancelled=out.cancelled,
                _report=lambda message, reason, phase: out.progress.append(message),
            )
            try:
                guard("launch", lambda: flavor.launch(step))
            except Exception as e:
                out.error = e
            for name in ("stdout", "stderr"):
                getattr(step, name).close()
                with open(os.path.join(d, name), "rb") as f:
                    setattr(out, name, f.read())

    out._thread = threading.Thread(target=run, name="launch", daemon=True)
    out._thread.start()
    return out
