"""The whole main function of a flavor."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from .interface import Launcher, Remote
from .manifest import Manifest, ManifestError, locate, read
from .version import VERSION

# The exit code of a flavor that cannot serve.
MISUSE = 125


def main(flavor: Launcher | Remote, manifest: bytes | os.PathLike[str] | None = None) -> NoReturn:
    """Answers a person (`version`, `manifest`), or serves the host that started the
    process. Does not return.

    manifest is its text, or the path of its file; None = it is looked for in the
    program's own file, and beside it."""
    try:
        sys.exit(_main(flavor, manifest, sys.argv))
    except (ManifestError, TypeError, OSError) as e:
        print(f"this flavor cannot start: {e}", file=sys.stderr)
    sys.exit(MISUSE)


def _main(flavor: Launcher | Remote, manifest: bytes | os.PathLike[str] | None, argv: list[str]) -> int:
    from . import lifeline

    if manifest is None:
        manifest = locate(program())
    m = read(manifest if isinstance(manifest, bytes) else Path(manifest).read_bytes())
    if len(argv) > 1:
        return _command(m, argv)
    attached = lifeline.ATTACH in os.environ
    if not attached and not lifeline.started_by_host():
        print(
            f"This is the stephost flavor {m.name}, version {m.version}: a plugin, which stephost starts when a step is launched.\n"
            f"By itself it does nothing. Register it with:\n\n  stephost flavor register {program()}",
            file=sys.stderr,
        )
        return MISUSE
    from . import serve
    from .errors import Error
    from .implementation import implementation_of

    stdout = os.dup(1) if attached else serve.protect_stdout()
    try:
        implementation = implementation_of(flavor)
        implementation.check(m)
        life = lifeline.attach(m.name) or lifeline.open_lifeline()
        code = serve.serve(life, m, implementation, stdout)
    except (lifeline.StartError, ManifestError, TypeError, Error) as e:
        os.write(2, f"the stephost flavor {m.name} cannot serve: {e}\n".encode())
        code = MISUSE
    # Not sys.exit: that waits for threads of the author's code.
    os._exit(code)


def _command(m: Manifest, argv: list[str]) -> int:
    if argv[1] == "manifest":
        sys.stdout.buffer.write(m.source)
        return 0
    if argv[1] in ("version", "--version"):
        print(f"{m.name} {m.version} (stephost flavor, protocol {m.protocol}, SDK python {VERSION})")
        return 0
    print(f'unknown command "{argv[1]}": a flavor knows `version` and `manifest`.\nTo use it: stephost flavor register {program()}', file=sys.stderr)
    return MISUSE


def program() -> str:
    """The program's own file: the script, or the zipapp."""
    main_file = getattr(sys.modules.get("__main__"), "__file__", None) or sys.argv[0]
    path = Path(main_file)
    if path.name == "__main__.py" and not path.exists():
        return str(path.parent)
    return str(path)
