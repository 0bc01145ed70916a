"""python -m stephost_flavor: tools for authors."""

from __future__ import annotations

import sys

from .tools import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
