"""What Linux can promise about the end of a process; elsewhere these do nothing."""

from __future__ import annotations

import ctypes
import sys

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_SIGKILL = 9
"""Windows has no name for it."""


def die_with_the_parent() -> None:
    """Kill this process when the thread that started it ends."""
    _set(_PR_SET_PDEATHSIG, _SIGKILL)


def adopt_orphans() -> None:
    """Make this process the parent of what its children leave behind, so that it can end it."""
    _set(_PR_SET_CHILD_SUBREAPER, 1)


def _set(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)
