"""What runs where the step runs: calls one function and hands its result back.

    python3 .stephost/stephost/_call.py TARGET FORMAT ARGUMENTS

It travels with the step's source, so the other side needs Python and nothing
else. TARGET is MODULE:NAME, or FILE.py:NAME for a script; ARGUMENTS is
{"args": [], "kwargs": {}} in FORMAT, or @FILE.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HERE = os.path.dirname(os.path.abspath(__file__))


def main(argv: list[str]) -> int:
    target, format, arguments = argv
    # This file's directory must not be on the path (it has a runs.py); the work
    # directory and the directory that this package lies in must.
    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != _HERE]
    sys.path.insert(0, os.getcwd())
    sys.path.insert(1, os.path.dirname(_HERE))

    from stephost import _light
    from stephost._errors import CallError
    from stephost._step import Step
    from stephost._travel import decode

    module_name, _, name = target.rpartition(":")
    script = module_name.endswith(".py")
    try:
        _light.importing = module_name
        try:
            module = _script(module_name) if script else _module(module_name)
        finally:
            _light.importing = ""
        found: Any = module
        for part in name.split("."):
            found = getattr(found, part)
        function = found.function if isinstance(found, Step) else found
        if arguments.startswith("@"):
            with open(arguments[1:], encoding="ascii") as f:
                arguments = f.read()
        given = decode(arguments, format, {"__main__": module.__name__})
        value = function(*given["args"], **given["kwargs"])
        if hasattr(value, "__await__"):
            import asyncio

            value = asyncio.run(_await(value))
        _hand_back(value, format, name)
    except (Exception, KeyboardInterrupt) as e:
        _failed(e)
        if isinstance(e, CallError):
            print(f"stephost: {e}", file=sys.stderr)
        else:
            _traceback(e)
        return 130 if isinstance(e, KeyboardInterrupt) else 1
    return 0


async def _await(value: Any) -> Any:
    return await value


def _module(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as e:
        if e.name is not None and (name == e.name or name.startswith(e.name + ".")):
            e.msg += "; it is not in the step's source: see source= in docs/python.md"
        raise


def _script(path: str) -> Any:
    """Import a script under a name that is not __main__: what it guards with
    `if __name__ == "__main__":` does not run here."""
    import importlib.util
    import re

    name = re.sub(r"\W", "_", os.path.splitext(os.path.basename(path))[0])
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _hand_back(value: Any, format: str, name: str) -> None:
    import json

    from stephost._errors import CallError
    from stephost._travel import FILE, INLINE, RESULT, encode

    text = encode(value, format, f"the result of {name}")
    envelope: dict[str, Any] = {"format": format}
    if len(text) <= INLINE:
        envelope["data"] = text
    else:
        outputs = os.environ.get("STEPHOST_OUTPUT_DIR")
        if not outputs:
            raise CallError(
                f"the result of {name} has {len(text)} bytes as {format}; more than {INLINE} need a flavor that keeps "
                "outputs in a directory: write the result to a store, and return its address"
            )
        with open(os.path.join(outputs, FILE), "w", encoding="ascii") as f:
            f.write(text)
        envelope["output"] = FILE
    _say(RESULT, json.dumps(envelope))


def _failed(e: BaseException) -> None:
    import json

    from stephost._travel import ERROR

    _say(ERROR, json.dumps({"type": type(e).__qualname__, "module": type(e).__module__, "message": str(e)[:4000]}))


def _traceback(e: BaseException) -> None:
    """Without the frames of this file."""
    import traceback

    tb = e.__traceback__
    while tb is not None and os.path.abspath(tb.tb_frame.f_code.co_filename) == os.path.abspath(__file__):
        tb = tb.tb_next
    traceback.print_exception(type(e), e, tb or e.__traceback__)


def _say(name: str, value: str) -> None:
    # On a line of its own, whatever the step has written before.
    sys.stdout.flush()
    sys.stderr.flush()
    sys.stdout.write(f"\n::stephost value {name}={value}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
