"""linux/unix_diag.h: what a question about unix sockets asks to be shown."""

from __future__ import annotations

UDIAG_SHOW_NAME, UDIAG_SHOW_UID = 0x1, 0x40
