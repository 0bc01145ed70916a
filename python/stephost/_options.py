"""What a step may say, and the flags of ``stephost launch`` that say it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, Union

from ._errors import CallError

StrPath = Union[str, "os.PathLike[str]"]
# A directory, several, or where each lies in the step's work directory.
Source = Union[StrPath, Sequence[Union[StrPath, "tuple[str, str]"]], Mapping[str, StrPath]]


class Options(TypedDict, total=False):
    """Options of a launch. Those not named here are as in ``stephost launch --help``.

    ``source``: a directory, several of them, or {target: directory}.
    ``secrets``: {name: source}, a source being ``env:NAME``, ``file:PATH``,
    ``cmd:COMMAND`` or ``keyring:SERVICE/NAME``; never the value itself.
    ``secret_values``: {name: value}, handed over in the environment of the
    launching process, never on a command line. A run that must be submitted again
    when this process is gone waits for them.
    ``timeouts``: {"run": "2h", "provisioning": "20m", "cancel", "total", "log_drain"}.
    ``retry``: {"preempted": 3, "capacity", "system", "user"}.
    ``settings``: of the flavor; values may be lists and dicts.
    ``token``: names the run; the same again joins the same run (`--run-token`).
    ``directory``: where project files are looked for and relative paths start.
    ``files``, ``variables``: project files and variables (`-f`, `--var`).
    ``environ``: the environment of the launching process, instead of os.environ.
    """

    operator: str
    step_name: str
    pipeline: str
    pipeline_run: str
    image: str
    base_image: str
    dockerfile: StrPath
    requirements: Sequence[str]
    requirements_file: StrPath
    source: Source
    registry: str
    platform: str
    python: str
    override: bool
    allow_large: bool
    env: Mapping[str, str]
    env_file: StrPath
    secrets: Mapping[str, str]
    secret_values: Mapping[str, str]
    allow_visible_secrets: bool
    cpu: Union[int, float, str]
    memory: str
    gpu: int
    gpu_type: str
    nodes: int
    disk: str
    shared_memory: str
    timeouts: Mapping[str, str]
    retry: Mapping[str, int]
    labels: Mapping[str, str]
    settings: Mapping[str, Any]
    token: str
    again: bool
    first: bool
    on_term: str
    directory: StrPath
    files: Sequence[StrPath]
    variables: Mapping[str, str]
    environ: Mapping[str, str]


# One flag, one value.
_PLAIN = (
    "operator step_name pipeline pipeline_run image base_image dockerfile requirements_file registry platform python"
    " env_file cpu memory gpu gpu_type nodes disk shared_memory on_term"
).split()
_SWITCHES = ("override", "allow_large", "allow_visible_secrets", "again", "first")
_TIMEOUTS = ("provisioning", "run", "cancel", "total", "log_drain")
_RETRIES = ("preempted", "capacity", "system", "user")


def flags(options: Mapping[str, Any]) -> tuple[list[str], list[str], dict[str, str]]:
    """Make of options: global flags, flags of launch, and additions to the environment.

    A name that is not known is refused, with the one that was perhaps meant.
    """
    for name in options:
        if name not in Options.__annotations__:
            raise unknown("option", name, list(Options.__annotations__))
    o = {k: v for k, v in options.items() if v is not None}
    out: list[str] = []
    env: dict[str, str] = {}

    def put(flag: str, value: object) -> None:
        out.extend((f"--{flag.replace('_', '-')}", os.fspath(value) if isinstance(value, os.PathLike) else str(value)))

    for name in _PLAIN:
        if name in o:
            put(name, o[name])
    for name in _SWITCHES:
        if o.get(name):
            out.append(f"--{name.replace('_', '-')}")
    for line in _several("requirements", o.get("requirements", ())):
        put("requirement", line)
    for target, path in sources(o.get("source")):
        put("source", f"{path}:{target}" if target or ":" in path else path)
    for flag, of in (("env", "env"), ("label", "labels")):
        for k, v in _texts(of, o.get(of, {})).items():
            put(flag, f"{k}={v}")
    for k, v in _texts("secrets", o.get("secrets", {})).items():
        put("secret", f"{k}={v}")
    for k, v in _texts("secret_values", o.get("secret_values", {})).items():
        at = f"STEPHOST_PYTHON_SECRET_{k}"
        env[at] = v
        put("secret", f"{k}=env:{at}")
    for flag, of, known in (("timeout", "timeouts", _TIMEOUTS), ("retry", "retry", _RETRIES)):
        for k, v in dict(o.get(of, {})).items():
            if k not in known:
                raise unknown(of, k, list(known))
            put(f"{flag}_{k}", v)
    for k, v in dict(o.get("settings", {})).items():
        # As text for text, else as JSON, which is HCL.
        put("set", f"{k}={v}" if isinstance(v, str) else f"{k}={json.dumps(v)}")
    if "token" in o:
        put("run_token", o["token"])
    glob: list[str] = []
    if "directory" in o:
        glob += ["--chdir", os.fspath(o["directory"])]
    for path in _several("files", o.get("files", ())):
        out += ["--file", os.fspath(path)]
    for k, v in _texts("variables", o.get("variables", {})).items():
        out += ["--var", f"{k}={v}"]
    return glob, out, env


def sources(source: Source | None) -> list[tuple[str, str]]:
    """Targets and paths of a source, which may hold such pairs itself."""
    if source is None:
        return []
    if isinstance(source, (str, os.PathLike)):
        return [("", os.fspath(source))]
    if isinstance(source, Mapping):
        return [(target, os.fspath(path)) for target, path in source.items()]
    return [path if isinstance(path, tuple) else ("", os.fspath(path)) for path in source]


def unknown(what: str, name: str, known: list[str]) -> CallError:
    """A name that does not exist, with the one that was perhaps meant."""
    import difflib

    near = difflib.get_close_matches(name, known, 1)
    return CallError(f"there is no {what} {name!r}; " + (f"did you mean {near[0]!r}?" if near else "there are: " + ", ".join(known)))


def _several(name: str, value: Sequence[Any]) -> Sequence[Any]:
    if isinstance(value, str):
        raise CallError(f"{name} is one text; write a list: {name}=[{value!r}]")
    return value


def _texts(name: str, value: Mapping[str, Any]) -> dict[str, str]:
    for k, v in value.items():
        if not isinstance(v, str):
            # None or a number is a mistake as often as not: it is not guessed at.
            raise CallError(f"{name}[{k!r}] is {type(v).__name__}, not a text; write str(...) if that is meant")
    return dict(value)
