"""What an error says."""

from __future__ import annotations

import errno
import os
import re

_ERRNOS = {os.strerror(number) for number in errno.errorcode}


def tells(words: str, says: str) -> bool:
    """Return whether an error says what failed. says: the verb and its object, a regular
    expression."""
    return bool(re.search(says, _plain(words)))


def is_bare(words: str) -> bool:
    """Return whether an error tells an errno, and not what it was that failed."""
    plain = _plain(words)
    return plain in _ERRNOS or (words != "" and not plain)


def _plain(words: str) -> str:
    return re.sub(r"^(netlinkpy: )?(\[Errno \d+\] )?|(^| )\[(?!130|143)\d+\]$", "", words.strip())
