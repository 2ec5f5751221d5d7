"""One attach into an existing namespace, and one detach: netlinkpy, the floor, pyroute2 and ip, in turns.

python benchmarks/one.py [any option of compare.py]
"""

from __future__ import annotations

import sys

from compare import main

if __name__ == "__main__":
    sys.exit(main(["--only", "one", "--with", "netlinkpy,pyroute2,ip -batch", *sys.argv[1:]]))
