"""Makes one file of a flavor: a zipapp with the code, the manifest and, unless
thin, every package that it needs.

Native modules (grpcio has one) cannot be imported out of a zip file, so a packed
flavor unpacks itself at its first start, below the user's cache directory, under
the hash of its content. It fits the Python and the machine that packed it; its
manifest must therefore name the version of Python.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from . import manifest

SHEBANG = b"#!/usr/bin/env python3\n"

# Name of the author's main file among the packages.
MAIN = "stephost_flavor_main.py"

_IGNORED = re.compile(r"(^|/)(__pycache__/|\.[^/]|bin/)|\.pyc$")

# The date of every file in a zip: the same input gives the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)

# __main__.py of a packed flavor. It uses the standard library only.
BOOTSTRAP = '''\
import os, sys, zipfile
TAG, HASH = {tag!r}, {hash!r}

def unpacked():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    base = os.path.join(base, "stephost-flavors")
    target = os.path.join(base, HASH)
    if os.path.isdir(target):
        return target
    import shutil, tempfile
    os.makedirs(base, mode=0o700, exist_ok=True)
    # Whole or not at all: several starts may unpack at once.
    part = tempfile.mkdtemp(prefix=HASH + ".", dir=base)
    with zipfile.ZipFile(os.path.dirname(os.path.abspath(__file__))) as z:
        z.extractall(part, [n for n in z.namelist() if n.startswith("site/")])
    try:
        os.rename(part, target)
    except OSError:
        shutil.rmtree(part, ignore_errors=True)
    return target

tag = "%s-%d.%d" % (sys.implementation.name, *sys.version_info[:2])
if tag != TAG:
    sys.exit("this flavor was packed for %s, and runs with %s: pack it again, or name the version of Python in its manifest" % (TAG, tag))
site = os.path.join(unpacked(), "site")
sys.path.insert(0, site)
import runpy
runpy.run_path(os.path.join(site, {main!r}), run_name="__main__")
'''


class PackError(ValueError):
    """The flavor cannot be packed."""


def dependencies(script: str) -> list[str]:
    """The dependencies of a script's PEP 723 metadata."""
    m = re.search(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$", script)
    if m is None:
        return []
    text = "".join(line[2:] if line.startswith("# ") else line[1:] for line in m.group("content").splitlines(keepends=True))
    found = re.search(r"(?ms)^dependencies\s*=\s*\[(.*?)\]", text)
    return re.findall(r'"([^"]+)"', found.group(1)) if found else []


def pack(source: Path, output: Path | None, requirements: list[str], *, find_links: Sequence[str] = (), thin: bool = False) -> Path:
    """Packs a script, or a directory with __main__.py and flavor.hcl."""
    main = source / "__main__.py" if source.is_dir() else source
    script = main.read_bytes()
    stamped = manifest.stamp(manifest.locate(str(main)))
    output = output or Path(f"stephost-flavor-{manifest.read(stamped).name}.pyz")
    members = {manifest.INSIDE: stamped}
    if source.is_dir():
        for p in sorted(source.rglob("*")):
            name = p.relative_to(source).as_posix()
            if p.is_file() and p != main and name != manifest.INSIDE and not _IGNORED.search(name):
                members[name] = p.read_bytes()
    if thin:
        members["__main__.py"] = script
    else:
        members = {"site/" + name: data for name, data in members.items()}
        members["site/" + MAIN] = script
        with tempfile.TemporaryDirectory() as site:
            _install(site, [*dependencies(script.decode("utf-8")), *requirements], find_links)
            for p in sorted(Path(site).rglob("*")):
                name = p.relative_to(site).as_posix()
                if p.is_file() and not _IGNORED.search(name):
                    members["site/" + name] = p.read_bytes()
        tag = "%s-%d.%d" % (sys.implementation.name, *sys.version_info[:2])
        members["__main__.py"] = BOOTSTRAP.format(tag=tag, hash=_hash(members), main=MAIN).encode()
        members[manifest.INSIDE] = stamped
    _write(output, members)
    return output


def _hash(members: dict[str, bytes]) -> str:
    h = hashlib.sha256()
    for name in sorted(members):
        h.update(b"%d:%s%d:" % (len(name.encode()), name.encode(), len(members[name])))
        h.update(members[name])
    return h.hexdigest()


def _install(site: str, requirements: list[str], find_links: Sequence[str]) -> None:
    if not requirements:
        raise PackError("nothing says what the flavor needs: write PEP 723 metadata into the script, or give --requirement; --thin carries nothing")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--target", site]
    for place in find_links:
        command += ["--find-links", place]
    command += requirements
    done = subprocess.run(command, stdout=sys.stderr)
    if done.returncode != 0:
        raise PackError(f"pip ended with {done.returncode}")


def _write(output: Path, members: dict[str, bytes]) -> None:
    part = output.with_name(output.name + ".part")
    with open(part, "wb") as f:
        f.write(SHEBANG)
        with zipfile.ZipFile(f, "w") as z:
            for name in sorted(members):
                info = zipfile.ZipInfo(name, _DATE)
                info.external_attr = 0o644 << 16
                # The manifest is not compressed: the host finds it by reading the
                # file.
                how = zipfile.ZIP_STORED if name == manifest.INSIDE else zipfile.ZIP_DEFLATED
                z.writestr(info, members[name], how)
    os.chmod(part, 0o755)
    os.replace(part, output)
