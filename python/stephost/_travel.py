"""How arguments and results travel: JSON that means the same on both sides, or pickle."""

from __future__ import annotations

import json

from ._errors import CallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Names of values of a result (DESIGN: "::stephost value NAME=JSON").
RESULT = "stephost.result"
ERROR = "stephost.error"

# All values of a run have 64 KiB; half of it leaves room for the step's own.
INLINE = 32 << 10
# The result that is larger lies in the step's outputs under this name.
FILE = "stephost-result"


def encode(value: Any, format: str, what: str) -> str:
    """The text that carries a value."""
    if format == "pickle":
        import base64

        return base64.b64encode(_pickled(value, what)).decode("ascii")
    check_json(value, what)
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def decode(text: str, format: str, modules: dict[str, str] | None = None) -> Any:
    """The value of a text."""
    if format == "pickle":
        return _unpickled(text, modules or {})
    return json.loads(text)


def check_json(value: Any, what: str) -> None:
    """Refuse what JSON would change without a word."""
    advice = 'or use serializer="pickle"'
    if value is None or isinstance(value, (bool, str, int)):
        return
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise CallError(f"{what} is {value!r}, which JSON has not; {advice}")
        return
    if isinstance(value, list):
        for i, v in enumerate(value):
            check_json(v, f"{what}[{i}]")
        return
    if isinstance(value, dict):
        for k, v in value.items():
            if not isinstance(k, str):
                raise CallError(f"{what} has the key {k!r}, which would come back as a text; use texts, {advice}")
            check_json(v, f"{what}[{k!r}]")
        return
    if isinstance(value, tuple):
        raise CallError(f"{what} is a tuple, which would come back as a list; use a list, {advice}")
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise CallError(f"{what} is a {kind}, which JSON has not; use lists, dicts, texts and numbers, {advice}")


def _pickled(value: Any, what: str) -> bytes:
    import pickle

    try:
        # The protocol that every supported Python reads.
        return pickle.dumps(value, protocol=4)
    except Exception as e:
        raise CallError(f"{what} cannot be pickled: {type(e).__name__}: {e}") from e


def _unpickled(text: str, modules: dict[str, str]) -> Any:
    import base64
    import io
    import pickle

    class Unpickler(pickle.Unpickler):
        """Finds classes of the script, whose module has one name here and another there."""

        def find_class(self, module: str, name: str) -> Any:
            return super().find_class(modules.get(module, module), name)

    return Unpickler(io.BytesIO(base64.b64decode(text))).load()
