"""Decodes config and settings: into a dataclass of the author, or into Values.

Unknown and missing attributes are errors: the code and the manifest do not agree
then. Integers are exact, however large.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Union

from . import errors
from ._proto import operator_pb2 as pb
from .convert import ordered
from .step import Secret

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|us|µs|ns|m|s)")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
# 1e999999999 is eleven bytes of JSON and a gigabyte of digits.
_MAX_EXPONENT = 4096


class Values(Mapping[str, Any]):
    """Attributes without a dataclass: values["name"] or values.name."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__["_values"] = dict(values)

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(f'the manifest has no attribute "{name}"') from None

    def __setattr__(self, name: str, _value: Any) -> None:
        raise AttributeError(f"{name}: config and settings do not change")

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Values({self._values!r})"


def decode(v: pb.Values, part: str, into: type | None) -> Any:
    """Decodes v. part is "config" or "settings", for the paths of errors."""
    try:
        raw = json.loads(v.json, parse_float=Decimal) if v.json else {}
        if not isinstance(raw, dict):
            raise ValueError("no JSON object")
    except (ValueError, RecursionError):
        # The decoder's message may quote what it read.
        raise errors.System(f"{part} is not a JSON object") from None
    secrets = {name: Secret(s.value) for name, s in ordered(v.secrets).items()}
    if into is None:
        return Values({**{k: _plain(x) for k, x in raw.items()}, **secrets})
    hints, fields = _fields(into)
    for name in sorted({*raw, *secrets} - fields.keys()):
        raise _disagree(part, name, into, "the manifest has the attribute, the class has no field for it")
    out: dict[str, Any] = {}
    for name in fields:
        if name in secrets:
            if not _takes(hints[name], Secret):
                raise errors.System(f"{part}.{name} is sensitive: its field must have the type Secret", attribute=f"{part}.{name}")
            out[name] = secrets[name]
        elif name in raw:
            out[name] = _convert(raw[name], hints[name], [part, name])
        elif _takes(hints[name], Secret) or not v.json:
            out[name] = None  # not set, or there is nothing to decode
        else:
            raise _disagree(part, name, into, "the class has the field, the manifest has no such attribute")
    return into(**out)


def check(into: type | None, names: list[str], part: str) -> None:
    """Compares a dataclass with the manifest's attributes, so that a slip shows at
    start and not at the first launch."""
    if into is None:
        return
    if not dataclasses.is_dataclass(into):
        raise TypeError(f"the class of {part} must be a dataclass, not {into!r}")
    _, fields = _fields(into)
    for name in fields:
        if name not in names:
            raise _disagree(part, name, into, "the class has the field, the manifest has no such attribute")
    for name in names:
        if name not in fields:
            raise _disagree(part, name, into, "the manifest has the attribute, the class has no field for it")


def _fields(into: type) -> tuple[dict[str, Any], dict[str, Any]]:
    hints = typing.get_type_hints(into)
    return hints, {f.name: f for f in dataclasses.fields(into) if f.init}


def _disagree(part: str, name: str, into: type, how: str) -> errors.Error:
    return errors.System(
        f'the flavor\'s code and its manifest do not agree about {part} "{name}" ({into.__name__}): {how}',
        attribute=f"{part}.{name}",
    )


def _options(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _takes(hint: Any, kind: type) -> bool:
    return any(o is kind or o is Any for o in _options(hint))


def _plain(v: Any) -> Any:
    """A value without a type to follow: whole numbers are int, others float."""
    if isinstance(v, Decimal):
        whole = _whole(v)
        return float(v) if whole is None else whole
    if isinstance(v, list):
        return [_plain(x) for x in v]
    if isinstance(v, dict):
        return {k: _plain(x) for k, x in v.items()}
    return v


def _whole(v: Any) -> int | None:
    if isinstance(v, bool):
        return None
    if isinstance(v, int):
        return v
    if isinstance(v, Decimal) and v.is_finite() and abs(v.adjusted()) <= _MAX_EXPONENT and v == v.to_integral_value():
        return int(v)
    return None


def _convert(v: Any, hint: Any, path: list[str]) -> Any:
    """Converts one JSON value to what the field's annotation asks for. null gives
    None; a field that may be null should say so in its annotation."""

    def wrong(want: str) -> errors.Error:
        return errors.Config(".".join(path), f"{'.'.join(path)} must be {want}")

    if v is None:
        return None
    hints = [o for o in _options(hint) if o is not type(None)]
    if len(hints) != 1:
        return _plain(v)
    hint = hints[0]
    origin = typing.get_origin(hint)
    args = typing.get_args(hint)
    if hint is Any:
        return _plain(v)
    if hint is bool:
        if not isinstance(v, bool):
            raise wrong("true or false")
        return v
    if hint is int:
        whole = _whole(v)
        if whole is None:
            raise wrong("a whole number")
        return whole
    if hint is float:
        if isinstance(v, bool) or not isinstance(v, (int, Decimal)):
            raise wrong("a number")
        try:
            return float(v)
        except OverflowError:
            raise wrong("a smaller number") from None
    if hint is str or hint is Secret:
        if not isinstance(v, str):
            raise wrong("a string")
        return v if hint is str else Secret(v)
    if hint is timedelta:
        return _duration(v, wrong)
    if hint in (list, tuple) or origin in (list, tuple):
        if not isinstance(v, list):
            raise wrong("a list")
        items = [_convert(x, args[0] if args else Any, [*path, str(i)]) for i, x in enumerate(v)]
        return tuple(items) if tuple in (hint, origin) else items
    if hint is dict or origin is dict:
        if not isinstance(v, dict):
            raise wrong("a map")
        return {k: _convert(x, args[1] if args else Any, [*path, k]) for k, x in v.items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _nested(v, hint, path, wrong)
    raise TypeError(f"{'.'.join(path)}: cannot decode into {hint!r}")


def _duration(v: Any, wrong: Any) -> timedelta:
    """Go's form: "90s", "1h30m"."""
    text = v[1:] if isinstance(v, str) and v[:1] in ("+", "-") else v
    if text == "0":
        return timedelta(0)
    parts = list(_DURATION.finditer(text)) if isinstance(text, str) else []
    if not parts or "".join(p.group() for p in parts) != text:
        raise wrong('a duration such as "90s"')
    try:
        d = timedelta(seconds=sum(float(p.group(1)) * _UNITS[p.group(2)] for p in parts))
    except OverflowError:
        raise wrong("a shorter duration") from None
    return -d if v.startswith("-") else d


def _nested(v: Any, into: type, path: list[str], wrong: Any) -> Any:
    if not isinstance(v, dict):
        raise wrong("an object")
    hints, fields = _fields(into)
    for name in v:
        if name not in fields:
            raise _disagree(path[0], ".".join([*path[1:], name]), into, "the manifest has the attribute, the class has no field for it")
    return into(**{name: _convert(x, hints[name], [*path, name]) for name, x in v.items()})
