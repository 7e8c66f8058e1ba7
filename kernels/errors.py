"""Errors of the kernels. Each is one clear sentence for the user."""

from __future__ import annotations


class KernelError(Exception):
    """One sentence: what is wrong, why, and what to do."""


class InvalidInputs(KernelError):
    """Shapes, dtypes or options for which the computation is not defined."""


class Unavailable(KernelError):
    """The requested implementation cannot run here; there is no silent fallback to another."""
