"""The program ``stephost``: where it is, how it is asked."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ._errors import LaunchError, NotInstalledError

_NAME = "stephost"
# Names another program, for tests and for those who build their own.
_ENV = "STEPHOST_PROGRAM"


def binary() -> str:
    """The path of the program: that of this installation, else the one on PATH."""
    import shutil

    named = os.environ.get(_ENV)
    if named:
        return named
    import sysconfig

    places = [sysconfig.get_path("scripts"), os.path.join(sys.prefix, "bin")]
    package = os.path.dirname(os.path.abspath(__file__))
    # pip install --target DIR, and --user.
    places.append(os.path.join(os.path.dirname(package), "bin"))
    try:
        places.append(sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user")))
    except (AttributeError, KeyError):  # no such scheme, or Python 3.9
        pass
    for place in places:
        path = os.path.join(place, _NAME)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    found = shutil.which(_NAME)
    if found is None:
        raise NotInstalledError(
            f"the program {_NAME} was not found in {places[0]} or on PATH; install it into this environment: "
            f"{sys.executable} -m pip install {_NAME}"
        )
    return found


def environment(extra: Mapping[str, str] | None = None, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of the program: this process's, with this Python first on PATH.

    Where a flavor runs steps on this machine, ``python3`` is then the Python that
    asks, also when its virtual environment is not activated.
    """
    env = dict(os.environ if base is None else base)
    here = os.path.dirname(sys.executable) if sys.executable else ""
    if here:
        path = env.get("PATH", os.defpath)
        if path.split(os.pathsep)[0] != here:
            env["PATH"] = here + os.pathsep + path
    env.update(extra or {})
    return env


def argv(globals: Sequence[str], *words: str) -> list[str]:
    """A command line with JSON output. ``-o json`` comes first, so that also a
    mistake in a flag is answered with JSON."""
    return [binary(), "--output", "json", *globals, *words]


def ask(words: Sequence[str], globals: Sequence[str] = (), environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run a command that answers with one document, and return it."""
    import subprocess

    done = subprocess.run(
        argv(globals, *words), stdin=subprocess.DEVNULL, capture_output=True, env=environment(base=environ), check=False
    )
    return answer(done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"), done.returncode)


def answer(stdout: str, stderr: str, code: int) -> dict[str, Any]:
    """The last document of an answer; an error document is raised."""
    lines = [line for line in stdout.splitlines() if line.strip()]
    try:
        doc = json.loads(lines[-1]) if lines else {}
    except ValueError:
        doc = {}
    if not isinstance(doc, dict) or not doc:
        text = stderr.strip() or stdout.strip() or f"{_NAME} ended with exit code {code} and said nothing"
        raise LaunchError(text[-4000:])
    if "error" in doc and doc.get("type") != "result":
        e = doc["error"]
        raise LaunchError(problem(e), next=str(e.get("next", "")), diagnostics=doc.get("diagnostics") or ())
    if doc.get("diagnostics") and code != 0 and doc.get("type") != "result":
        raise LaunchError(diagnostics(doc["diagnostics"]), diagnostics=doc["diagnostics"])
    return doc


def problem(e: Mapping[str, Any]) -> str:
    """An error document as text."""
    return " ".join(str(e[k]) for k in ("summary", "detail") if e.get(k))


def diagnostics(found: Sequence[Mapping[str, Any]]) -> str:
    """What was wrong in files and flags, as text with places."""
    out: list[str] = []
    for d in found:
        where: Mapping[str, Any] = d.get("range") or {}
        start: Mapping[str, Any] = where.get("start") or {}
        at = f"{where.get('file', '')}:{start.get('line', 0)}: " if where else ""
        out.append(f"{at}{d.get('severity', 'error')}: {problem(d)}")
        if d.get("snippet"):
            out.append(str(d["snippet"]))
    return "\n".join(out)


def version() -> str:
    """The version of the program."""
    return str(ask(["version"])["item"]["version"])
