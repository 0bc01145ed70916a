"""The sub-commands of `python -m stephost_flavor`: stamp and pack."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from . import hcl, manifest
from .version import VERSION


def run(args: list[str]) -> int:
    """Runs one sub-command and returns the exit code."""
    p = argparse.ArgumentParser(prog="python -m stephost_flavor", description="Tools for authors of flavors.")
    p.add_argument("--version", action="version", version=VERSION)
    commands = p.add_subparsers(required=True, metavar="COMMAND")
    s = commands.add_parser("stamp", help="renew the header line of a manifest: in a script's comment lines, or in a .hcl file")
    s.add_argument("files", nargs="+", type=Path, metavar="FILE")
    s.set_defaults(do=_stamp)
    k = commands.add_parser("pack", help="make one file of a script or directory and all of its dependencies")
    k.add_argument("source", type=Path, help="the script, or a directory with __main__.py and flavor.hcl")
    k.add_argument("-o", "--output", type=Path, help="default: stephost-flavor-NAME.pyz")
    k.add_argument("-r", "--requirement", action="append", default=[], metavar="REQUIREMENT", help="a package to carry, besides those of the script's own metadata (repeatable)")
    k.add_argument("--find-links", action="append", default=[], metavar="DIR", help="where wheels lie besides the package index (repeatable)")
    k.add_argument("--thin", action="store_true", help="carry no packages: the interpreter has them")
    k.set_defaults(do=_pack)
    parsed = p.parse_args(args)
    try:
        return int(parsed.do(parsed))
    except (manifest.ManifestError, hcl.HCLError, OSError, ValueError) as e:
        print(f"{p.prog}: {e}", file=sys.stderr)
        return 1


def _stamp(a: argparse.Namespace) -> int:
    for path in a.files:
        old = path.read_bytes()
        new = manifest.stamp(old) if path.suffix == ".hcl" else manifest.stamp_script(old.decode("utf-8")).encode()
        if new == old:
            continue
        # Replaced as a whole: a script without its end is worse than an old one.
        temporary = path.with_name(path.name + ".tmp")
        temporary.write_bytes(new)
        os.chmod(temporary, path.stat().st_mode & 0o777)
        os.replace(temporary, path)
        print(f"{path} stamped")
    return 0


def _pack(a: argparse.Namespace) -> int:
    from .pack import pack

    if not a.thin:
        version = "%d.%d" % sys.version_info[:2]
        main = a.source / "__main__.py" if a.source.is_dir() else a.source
        if f"python3=={version}" not in manifest.read(manifest.stamp(manifest.locate(str(main)))).source.decode():
            print(f'note: what is packed runs with Python {version} alone; write "{{interpreter:python3=={version}}}" into the manifest\'s exec', file=sys.stderr)
    print(pack(a.source, a.output, a.requirement, find_links=a.find_links, thin=a.thin))
    return 0
