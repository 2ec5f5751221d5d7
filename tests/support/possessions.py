"""What this process holds: descriptors, threads, children."""

from __future__ import annotations

import os


def descriptors() -> set[str]:
    """Return the open descriptors of this process, and what they lead to."""
    found: set[str] = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{number} -> {os.readlink(f'/proc/self/fd/{number}')}")
        except FileNotFoundError:  # the one that listed them
            continue
    return found


def threads() -> set[str]:
    """Return its threads."""
    return {f"thread {number}" for number in os.listdir("/proc/self/task")}


def children() -> set[str]:
    """Return its child processes."""
    found: set[str] = set()
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/children") as file:
                found.update(f"child process {pid}" for pid in file.read().split())
        except FileNotFoundError:  # that thread has ended
            continue
    return found


def possessions() -> set[str]:
    """Return all of it, in words."""
    return descriptors() | threads() | children()
