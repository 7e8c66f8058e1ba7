"""Errors of the kernels, each one clear sentence for the user who will read it."""

from __future__ import annotations


class KernelError(Exception):
    """One sentence: what is wrong, why, and what would do."""


class InvalidInputs(KernelError):
    """Shapes, dtypes or options that the computation is not defined for."""


class Unavailable(KernelError):
    """The requested implementation cannot run here; there is no silent fallback to another."""
