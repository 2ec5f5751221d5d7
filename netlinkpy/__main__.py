"""python -m netlinkpy: the command without an installed script."""

from __future__ import annotations

import sys

from .cli import command

if __name__ == "__main__":
    sys.argv[0] = "netlinkpy"
    sys.exit(command())
