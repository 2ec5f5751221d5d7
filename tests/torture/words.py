"""What an error says."""

from __future__ import annotations

import errno
import os
import re

_ERRNOS = {os.strerror(number) for number in errno.errorcode}


def is_bare(words: str) -> bool:
    """Return whether an error tells an errno, and not what it was that failed."""
    plain = re.sub(r"^netlinkpy: |^\[Errno \d+\] |(^| )\[(?!130|143)\d+\]$", "", words.strip())
    return plain in _ERRNOS or (words != "" and not plain)
