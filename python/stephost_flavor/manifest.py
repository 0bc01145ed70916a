"""The flavor's manifest, as far as its own code must know it.

Where it is: in the script itself, as comment lines behind a header line

    # #!stephost flavor manifest v1 <length> sha256:<hex>

in flavor.hcl inside the zipapp, or beside the file. `python -m stephost_flavor
stamp FILE` writes and renews the header line.
"""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import hcl
from .limits import MAX_MANIFEST

MARKER = " ".join(["#!stephost", "flavor", "manifest", "v1"])
"""Begins the header line. Put together here: a zipapp that holds this file would
look like one with a manifest at this place."""

INSIDE = "flavor.hcl"
"""Name of the manifest in a directory or a zipapp."""

SUFFIX = ".flavor.hcl"


class ManifestError(ValueError):
    """The manifest is missing, cannot be read, or does not agree with the code."""


@dataclass(frozen=True)
class Manifest:
    """What the plugin knows of its flavor.hcl. The host reads all of it."""

    name: str
    version: str
    protocol: list[int]
    digest: str
    """"sha256:" and the hex hash of source."""
    source: bytes
    """The text without the header line."""
    handles: list[int] = field(default_factory=lambda: [1])
    """Versions of handles that it reads."""
    capabilities: list[str] = field(default_factory=list)
    idempotency: str = ""
    config: list[str] = field(default_factory=list)
    """Names of the config attributes."""
    settings: list[str] = field(default_factory=list)


def split(data: bytes) -> tuple[str, bytes]:
    """Takes the header line off: its hash ("" without one) and the text."""
    line, newline, rest = data.partition(b"\n")
    if not newline or not line.startswith(MARKER.encode()):
        return "", data
    words = line.decode("utf-8", "replace").split()
    return (words[-1] if words[-1].startswith("sha256:") else ""), rest


def read(data: bytes) -> Manifest:
    """Reads the text of a manifest, with or without its header line."""
    if len(data) > MAX_MANIFEST:
        raise ManifestError(f"the manifest has {len(data)} bytes, more than {MAX_MANIFEST}")
    stamped, body = split(data)
    digest = "sha256:" + hashlib.sha256(body).hexdigest()
    if stamped and stamped != digest:
        raise ManifestError(
            "the manifest was changed after it was stamped: run `stephost flavor stamp flavor.hcl`, "
            "or `python -m stephost_flavor stamp FILE` for the one in a script"
        )
    try:
        root = hcl.parse(body.decode("utf-8"))
    except (hcl.HCLError, UnicodeDecodeError) as e:
        raise ManifestError(f"the manifest cannot be read: {e}") from e
    flavors = [b for b in root.blocks if b.type == "flavor" and len(b.labels) == 1]
    if len(flavors) != 1:
        raise ManifestError('the manifest needs one block: flavor "NAME" { version = "..." protocol = [1] }')
    b = flavors[0]
    version, protocol, capabilities = (b.attributes.get(n) for n in ("version", "protocol", "capabilities"))
    if not isinstance(version, str) or not version or not _list_of(protocol, int) or not protocol:
        raise ManifestError('the manifest needs: version = "..." and protocol = [1]')
    if capabilities is not None and not _list_of(capabilities, str):
        raise ManifestError("the manifest's capabilities must be a list of texts")
    handles = b.attributes.get("handles", [1])
    if not _list_of(handles, int) or not handles:
        raise ManifestError("the manifest's handles must be a list of numbers")
    submission = b.first("submission")
    return Manifest(
        name=b.labels[0],
        version=version,
        protocol=list(protocol),
        digest=digest,
        source=body,
        handles=list(handles),
        capabilities=list(capabilities or []),
        idempotency=str(submission.attributes.get("idempotency", "")) if submission else "",
        config=_names(b, "config"),
        settings=_names(b, "setting"),
    )


def _list_of(value: object, item: type) -> bool:
    return isinstance(value, list) and all(isinstance(v, item) and not isinstance(v, bool) for v in value)


def _names(b: hcl.Block, kind: str) -> list[str]:
    return [i.labels[0] for i in b.blocks if i.type == kind and len(i.labels) == 1]


def _lines(text: str) -> list[str]:
    """Lines with their ends; str.splitlines knows more line ends than HCL."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def commented(text: str) -> tuple[int, int, bytes] | None:
    """Finds a manifest in comment lines of a script: where its lines begin and end
    (as line numbers from 0), and its stamped text. It ends with the comment."""
    lines = _lines(text)
    start = next((i for i, l in enumerate(lines) if re.match(r"#[ \t]*" + re.escape(MARKER) + r"\b", l)), None)
    if start is None:
        return None
    prefix = lines[start][: lines[start].index(MARKER)]
    out: list[str] = []
    end = start
    for line in lines[start:]:
        bare = line.rstrip("\r\n")
        if bare.startswith(prefix):
            out.append(bare[len(prefix) :])
        elif bare == prefix.rstrip():
            out.append("")
        else:
            break
        end += 1
    length = re.match(re.escape(MARKER) + r" ([0-9]+) sha256:", out[0])
    body = ("\n".join(out[1:]) + "\n").encode()
    if length is not None and int(length.group(1)) <= len(body):
        # Comments of the code may follow at once.
        cut = body[: int(length.group(1))]
        if hashlib.sha256(cut).hexdigest() == out[0].rpartition(":")[2].strip():
            end = start + 1 + cut.count(b"\n")
            body = cut
    return start, end, out[0].encode() + b"\n" + body


def header(body: bytes) -> str:
    """The header line of a manifest's text, without its newline."""
    return f"{MARKER} {len(body)} sha256:{hashlib.sha256(body).hexdigest()}"


def stamp_script(text: str) -> str:
    """Writes or renews the header line of the manifest in a script. Everything
    from the header line to the first line that is no comment is the manifest."""
    found = commented(text)
    if found is None:
        raise ManifestError(f"the script has no line `# {MARKER}`: write it, and below it the manifest as comment lines")
    start, _, stamped = found
    if split(stamped)[0] and _fits(stamped):
        return text
    lines = _lines(text)
    prefix = lines[start][: lines[start].index(MARKER)]
    _, body = split(stamped)
    end = "\r\n" if lines[start].endswith("\r\n") else "\n"
    lines[start] = prefix + header(body) + end
    read(body)
    return "".join(lines)


def _fits(stamped: bytes) -> bool:
    claimed, body = split(stamped)
    return claimed == "sha256:" + hashlib.sha256(body).hexdigest()


def stamp(data: bytes) -> bytes:
    """Writes or renews the header line of a manifest file."""
    _, body = split(data)
    read(body)
    return header(body).encode() + b"\n" + body


def locate(main: str) -> bytes:
    """Finds the manifest of the program whose main file is main."""
    path = Path(main)
    if path.name == "__main__.py" and not path.exists():
        path = path.parent  # zipapp: its __main__ lies inside the file
    looked = []
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as z:
            if INSIDE in z.namelist():
                return z.read(INSIDE)
        looked.append(f"{INSIDE} inside {path.name}")
    elif path.is_file():
        with open(path, encoding="utf-8", errors="replace", newline="") as f:
            found = commented(f.read())
        if found is not None:
            return found[2]
        looked.append(f"comment lines in {path.name}")
    for beside in (Path(str(path) + SUFFIX), path.parent / INSIDE):
        if beside.is_file() and os.path.getsize(beside) <= MAX_MANIFEST:
            return beside.read_bytes()
        looked.append(str(beside))
    raise ManifestError("no manifest was found (looked for: " + ", ".join(looked) + ")")


def agree(m: Manifest, have: Mapping[str, bool], names: Mapping[str, str], all: bool) -> None:
    """Compares the manifest's capabilities with what the code implements. Both
    directions are errors: one would fail at launch, the other would be code that
    never runs. all = False allows a manifest that declares less."""
    wrong = []
    for c in m.capabilities:
        if c not in have:
            wrong.append(f'"{c}" is no capability of this kind of flavor')
        elif not have[c]:
            wrong.append(f'"{c}" stands in the manifest, but the class has no method {names[c]}')
    for c in sorted(have):
        # cancel is a method of every kind: a manifest may leave it out where the
        # backend has no cancel.
        if all and have[c] and c != "cancel" and c not in m.capabilities:
            wrong.append(f'the class has the method {names[c]}, but "{c}" is missing in the manifest\'s capabilities')
    if m.idempotency == "search" and not have["find"]:
        wrong.append('idempotency = "search" needs the method find')
    if wrong:
        raise ManifestError("the flavor's code and its manifest do not agree:\n  " + "\n  ".join(wrong))
