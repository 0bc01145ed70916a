"""``@stephost.step``: a function that can also run somewhere else."""

from __future__ import annotations

import functools
import os
import sys

from ._errors import CallError, LaunchError, StepFailed
from ._light import FORMATS, OPTIONS

# As type checkers read it. This module is imported wherever a step runs, so it imports
# little itself; what a call needs is imported when there is one.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Generic, TypeVar, Union, overload

    from typing_extensions import ParamSpec, Unpack

    from ._options import Options
    from ._result import Log, Result
    from ._watch import OnLog, OnStatus, Watch

    P = ParamSpec("P")
    R = TypeVar("R")
    Operator = Union[str, bool, None]
else:
    from ._light import Generic

    P = R = None

    def overload(function):
        return None


# Where this package lies in the step's work directory.
_BESIDE = ".stephost"
# Arguments that are larger travel as a file.
_ARGUMENT = 8 << 10


class Step(Generic[P, R]):
    """A function of a module or a script. Called it runs here; ``remote`` runs it on
    its operator and returns what it returns."""

    def __init__(self, function: Callable[P, R], options: Mapping[str, Any], serializer: str) -> None:
        self.function = function
        self.options: dict[str, Any] = dict(options)
        self.serializer = serializer
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<step {self.function.__module__}.{self.function.__qualname__}>"

    def remote(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it on its operator, show its log, and return its result.

        A function that raises there raises StepFailed here, with its last lines.
        """
        call = _Call(self, args, kwargs)
        value: R = call.value(call.run())
        return value

    async def remote_async(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The same as a coroutine; cancelling its task cancels the job."""
        call = _Call(self, args, kwargs)
        value: R = call.value(await call.run_async())
        return value

    def on(self, step_operator: Operator = None, **options: Unpack[Options]) -> RemoteStep[P, R]:
        """The same function with its operator set, and other options changed: calling
        what this returns runs it there."""
        changed = {**self.options, **options}
        if step_operator is not None:
            changed.pop("operator", None)
            changed.update(_operator(step_operator, None))
        return RemoteStep(Step(self.function, changed, self.serializer))


class RemoteStep(Generic[P, R]):
    """A step with its operator set: called it runs there."""

    def __init__(self, step: Step[P, R]) -> None:
        self._step = step

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._step.remote(*args, **kwargs)

    def remote(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The same as calling it."""
        return self._step.remote(*args, **kwargs)

    async def remote_async(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The same as a coroutine."""
        return await self._step.remote_async(*args, **kwargs)


@overload
def step(function: Callable[P, R], /) -> Step[P, R]: ...


@overload
def step(
    *,
    step_operator: Operator = None,
    custom_step_operator: Operator = None,
    serializer: str = "json",
    on_log: OnLog | None = None,
    on_status: OnStatus | None = None,
    **options: Unpack[Options],
) -> Callable[[Callable[P, R]], Step[P, R]]: ...


def step(
    function: Callable[..., Any] | None = None,
    /,
    *,
    step_operator: Operator = None,
    custom_step_operator: Operator = None,
    serializer: str = "json",
    **options: Any,
) -> Any:
    """Make a step of a function that stands at the top of a module or script.

    ``step_operator`` names the operator; True or None means the default one.
    ``custom_step_operator`` is the same under an older name. ``serializer`` is how
    arguments and results travel: "json", or "pickle" between Pythons and packages
    that are alike. The other options are those of launch().

    The step's source is, unless ``source`` says otherwise, the directory from which
    the function's module is imported.
    """
    if serializer not in FORMATS:
        raise _unknown("serializer", str(serializer), list(FORMATS))
    for name in options:
        if name not in OPTIONS and name not in ("on_log", "on_status"):
            raise _unknown("option", name, [*OPTIONS, "step_operator", "serializer"])
    options.update(_operator(step_operator, custom_step_operator))
    if function is not None:
        return Step(function, options, serializer)
    return lambda f: Step(f, options, serializer)


def _unknown(what: str, name: str, known: list[str]) -> CallError:
    from ._options import unknown

    return unknown(what, name, known)


def _operator(step_operator: Operator, custom: Operator) -> dict[str, str]:
    if step_operator is not None and custom is not None and step_operator != custom:
        raise CallError(f"step_operator is {step_operator!r} and custom_step_operator {custom!r}: name one")
    name = step_operator if step_operator is not None else custom
    if name is False:
        raise CallError("step_operator=False: a step without an operator runs where it is called; call it without .remote")
    return {"operator": name} if isinstance(name, str) else {}


class _Call:
    """One call of a function over there."""

    def __init__(self, step: Step[Any, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        from ._options import sources

        self.step = step
        self.name = step.function.__qualname__
        place = _Place.of(step)
        self.module = place.module
        options = dict(step.options)
        self.on_log: OnLog | None = options.pop("on_log", None)
        self.on_status: OnStatus | None = options.pop("on_status", None)
        given = list(sources(options.pop("source", None)))
        if not given and place.root:
            given = [("", place.root)]
        elif given and place.root:
            place.inside(given)
        package = os.path.dirname(os.path.abspath(__file__))
        arguments = _arguments(step, args, kwargs)
        if len(arguments) > _ARGUMENT:
            path, arguments = _kept(arguments)
            given.append((os.path.dirname(arguments[1:]), path))
        # A step that calls another one has the package in its source already.
        if not any(not target and os.path.isdir(os.path.join(top, _BESIDE, "stephost")) for target, top in given):
            given.append((_BESIDE + "/stephost", package))
        options["source"] = given
        options.setdefault("step_name", self.name)
        self.options = options
        self.argv = ["python3", f"{_BESIDE}/stephost/_call.py", f"{place.target}:{self.name}", step.serializer, arguments]

    def _watch(self) -> Watch:
        from ._watch import Watch, show_log

        return Watch(_Hidden(self.on_log or show_log), self.on_status)

    def run(self) -> Result:
        from ._launch import command_line, follow

        words, env = command_line(self.argv, None, False, self.options)
        try:
            return follow(words, env, self._watch(), check=True)
        except StepFailed as e:
            raise self._told(e) from None

    async def run_async(self) -> Result:
        from ._launch import command_line, follow_async

        words, env = command_line(self.argv, None, False, self.options)
        try:
            return await follow_async(words, env, self._watch(), check=True)
        except StepFailed as e:
            raise self._told(e) from None

    def _told(self, e: StepFailed) -> StepFailed:
        """Put the function's own error first."""
        from ._travel import ERROR

        found = e.result.values.get(ERROR)
        if isinstance(found, dict):
            kind = found.get("type", "")
            if found.get("module") not in (None, "builtins"):
                kind = f"{found['module']}.{kind}"
            e.args = (f"{self.name} raised {kind}: {found.get('message', '')}\n{e.args[0]}",)
        return e

    def value(self, result: Result) -> Any:
        """What the function returned."""
        from ._travel import FILE, RESULT, decode

        found = result.values.get(RESULT)
        if not isinstance(found, dict):
            raise LaunchError(
                f"run {result.run} succeeded, but no result of {self.name} was in its log",
                next=f"see it: stephost run logs {result.run}",
                result=result,
            )
        text = found.get("data")
        if text is None:
            text = _output(result, str(found.get("output", FILE)))
        # Classes of a script that runs here as __main__ are those of its module there.
        return decode(text, str(found.get("format", "json")), {self.module: "__main__"} if self.module else {})


class _Place:
    """Where a function lives: the directory from which its module is imported, and
    its name there."""

    def __init__(self, root: str, target: str, module: str = "") -> None:
        self.root, self.target, self.module = root, target, module

    @classmethod
    def of(cls, step: Step[Any, Any]) -> _Place:
        f = step.function
        name = getattr(f, "__qualname__", repr(f))
        if "<lambda>" in name:
            raise CallError("a lambda cannot run elsewhere: it has no name to be found by; write it as a function (def)")
        if "<locals>" in name:
            raise CallError(f"{name} is defined inside another function, so it cannot be found elsewhere; move it to the top of its module")
        module = sys.modules.get(f.__module__)
        file = getattr(module, "__file__", None)
        if module is None or not file or not os.path.isfile(file):
            raise CallError(
                f"the code of {name} is in no file (a notebook cell, python -c, or a prompt), so it cannot travel; "
                "put it into a module beside the notebook, for example steps.py, and import it: from steps import " + name
            )
        found: Any = module
        for part in name.split("."):
            found = getattr(found, part, None)
        if found is not step and not (isinstance(found, Step) and found.function is f) and found is not f:
            raise CallError(f"{f.__module__}.{name} is not this function, so it would not be found elsewhere; give the step one name of its own")
        spec = getattr(module, "__spec__", None)
        file = os.path.abspath(file)
        if f.__module__ == "__main__" and spec is None:
            import re

            stem = re.sub(r"\W", "_", os.path.splitext(os.path.basename(file))[0])
            return cls(os.path.dirname(file), os.path.basename(file), stem)
        full = spec.name if spec is not None and f.__module__ == "__main__" else f.__module__
        root = os.path.dirname(file)
        up = full.count(".") + (1 if os.path.basename(file) == "__init__.py" else 0)
        for _ in range(up):
            root = os.path.dirname(root)
        if os.path.basename(root) in ("site-packages", "dist-packages"):
            root = ""  # an installed package comes by requirements, not as source
        return cls(root, full, full if f.__module__ == "__main__" else "")

    def inside(self, given: list[tuple[str, str]]) -> None:
        """Check that the function's code is in what a person named as source."""
        root = os.path.realpath(self.root)
        for target, path in given:
            path = os.path.realpath(path)
            if root == path and not target:
                return
            if (root + os.sep).startswith(path.rstrip(os.sep) + os.sep):
                below = os.path.relpath(root, path)
                parts = [p for p in (target, "" if below == "." else below) if p]
                if self.target.endswith(".py"):
                    self.target = "/".join([*parts, self.target])
                    return
                if not parts:
                    return
                raise CallError(
                    f"{self.target} is imported from {self.root}, which lies deeper in source={path!r}; "
                    f"name the directory that the import starts from: source={self.root!r}"
                )
        raise CallError(f"the code of the step is in {self.root}, which is not in source={[p for _, p in given]!r}; add it, or leave source out")


def _arguments(step: Step[Any, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    import inspect

    from ._travel import check_json, encode

    try:
        inspect.signature(step.function).bind(*args, **kwargs)
    except TypeError as e:
        # Known before a machine is paid for.
        raise TypeError(f"{step.function.__qualname__}(): {e}") from None
    if step.serializer == "json":
        for i, v in enumerate(args):
            check_json(v, f"argument {i + 1} of {step.function.__qualname__}")
        for k, v in kwargs.items():
            check_json(v, f"argument {k} of {step.function.__qualname__}")
    return encode({"args": list(args), "kwargs": dict(kwargs)}, step.serializer, f"the arguments of {step.function.__qualname__}")


def _kept(text: str) -> tuple[str, str]:
    """Put arguments into a file that is named by its content: the same call has the
    same definition, so a token comes back to it."""
    import hashlib

    digest = hashlib.sha256(text.encode("ascii")).hexdigest()[:32]
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    place = os.path.join(cache, "stephost", "arguments", digest)
    os.makedirs(place, mode=0o700, exist_ok=True)
    path = os.path.join(place, "arguments")
    temporary = f"{path}.{os.getpid()}"
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as f:
        f.write(text)
    os.replace(temporary, path)
    return path, f"@{_BESIDE}/arguments/{digest}/arguments"


def _output(result: Result, name: str) -> str:
    import tempfile

    from . import runs

    with tempfile.TemporaryDirectory() as place:
        runs.outputs(result.run, get=place)
        for top, _, files in os.walk(place):
            if name in files:
                with open(os.path.join(top, name), encoding="ascii") as f:
                    return f.read()
    raise LaunchError(f"the result of run {result.run} was not found in its outputs", next=f"see: stephost run outputs {result.run}", result=result)


class _Hidden:
    """Keeps the lines that carry the result from the screen, and the empty line before
    them: it is written so that they begin a line, whatever the step has left open."""

    def __init__(self, show: OnLog) -> None:
        self._show = show
        self._held: dict[str, str] = {}
        self._inside: set[str] = set()  # sources whose last line has no end yet

    def __call__(self, log: Log) -> None:
        from dataclasses import replace

        from ._watch import PREFIX

        if log.stream != "stdout":
            self._show(log)
            return
        source = f"{log.attempt}/{log.node}/{log.container}"
        out, text = "", self._held.pop(source, "") + log.text
        lines = text.splitlines(keepends=True)
        for i, line in enumerate(lines):
            begins = source not in self._inside
            if begins and line.startswith(PREFIX):
                if not line.endswith("\n"):
                    self._held[source] = line
                continue
            if begins and line == "\n" and (i + 1 == len(lines) or _may_be(lines[i + 1], PREFIX)):
                if i + 1 == len(lines) or not lines[i + 1].endswith("\n"):
                    self._held[source] = "".join(lines[i:])
                    break
                continue
            if begins and not line.endswith("\n") and PREFIX.startswith(line):
                self._held[source] = line
                continue
            out += line
            (self._inside.discard if line.endswith("\n") else self._inside.add)(source)
        if out:
            self._show(replace(log, text=out))


def _may_be(line: str, prefix: str) -> bool:
    """Whether a line carries a result, or may, once it is whole."""
    return line.startswith(prefix) or not line.endswith("\n") and prefix.startswith(line)
