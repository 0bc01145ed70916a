"""Run one step of a pipeline somewhere better suited, and get its result back.

>>> import stephost
>>> stephost.launch(["python3", "train.py"], operator="gpu", source=".")  # doctest: +SKIP

or, for a function of a module or a script:

>>> @stephost.step(step_operator="gpu", requirements=["scikit-learn"], gpu=1)  # doctest: +SKIP
... def train(epochs: int) -> float: ...
>>> train.remote(3)  # doctest: +SKIP

This package drives the program ``stephost`` by its JSON output and implements
nothing a second time. It needs no other package. Importing it costs a few
milliseconds: what is used is imported when it is first asked for.
"""

from __future__ import annotations

# As type checkers read it; importing typing would be most of what this import costs.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import runs as runs
    from ._cli import binary as binary
    from ._cli import version as version
    from ._errors import CallError as CallError
    from ._errors import LaunchError as LaunchError
    from ._errors import NotInstalledError as NotInstalledError
    from ._errors import StepCancelled as StepCancelled
    from ._errors import StepDetached as StepDetached
    from ._errors import StepFailed as StepFailed
    from ._errors import StephostError as StephostError
    from ._errors import StepTimeout as StepTimeout
    from ._launch import launch as launch
    from ._launch import launch_async as launch_async
    from ._options import Options as Options
    from ._result import Log as Log
    from ._result import Output as Output
    from ._result import Result as Result
    from ._result import Status as Status
    from ._step import RemoteStep as RemoteStep
    from ._step import Step as Step
    from ._step import step as step

__version__ = "0.1.0"

# Where each name lives.
_HOMES = {
    "binary": "_cli",
    "version": "_cli",
    "CallError": "_errors",
    "LaunchError": "_errors",
    "NotInstalledError": "_errors",
    "StepCancelled": "_errors",
    "StepDetached": "_errors",
    "StepFailed": "_errors",
    "StephostError": "_errors",
    "StepTimeout": "_errors",
    "launch": "_launch",
    "launch_async": "_launch",
    "Options": "_options",
    "Log": "_result",
    "Output": "_result",
    "Result": "_result",
    "Status": "_result",
    "RemoteStep": "_step",
    "Step": "_step",
    "step": "_step",
    "runs": "",
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> object:
    """Import what is asked for (PEP 562)."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    from importlib import import_module

    if home == "":
        return import_module(f".{name}", __name__)
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
