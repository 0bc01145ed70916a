"""``python -m stephost`` is the program ``stephost``, whatever PATH says."""

from __future__ import annotations

import os
import sys

from ._cli import binary
from ._errors import NotInstalledError

if __name__ == "__main__":
    try:
        path = binary()
    except NotInstalledError as e:
        sys.exit(f"Error: {e}")
    os.execv(path, [path, *sys.argv[1:]])
