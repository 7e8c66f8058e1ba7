"""The check of a candidate against its float64 reference, without which it is not timed."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import tr


class Unverified(TilescopeError):
    """Raised for a candidate whose output was not checked, or was wrong."""


@dataclass(frozen=True)
class Check:
    """The error of a candidate's output against the float64 reference, on the inputs it is timed with."""

    max_abs_error: float
    rms_error: float
    allowed_rms_error: float

    @property
    def passed(self) -> bool:
        """False also when the error is NaN."""
        return self.rms_error <= self.allowed_rms_error


def check_against(out: torch.Tensor, reference: torch.Tensor, allowed_rms_error: float) -> Check:
    """Compares in float64. `reference` is float64, of the shape of `out`; a NaN on either side fails the check."""
    error = out.double() - reference
    return Check(float(error.abs().max()), float(error.square().mean().sqrt()), allowed_rms_error)


def require_verified(name: str, check: Check | None) -> None:
    """Raises Unverified for a check that was not made or did not pass."""
    if check is None:
        raise Unverified(tr("{name} is not timed: it was not checked against a reference.", name=name))
    if not check.passed:
        raise Unverified(
            tr(
                "{name} is not timed: its RMS error is {error:.2e}, and at most {allowed:.2e} is allowed.",
                name=name,
                error=check.rms_error,
                allowed=check.allowed_rms_error,
            )
        )


def require_still_verified(name: str, check: Check) -> None:
    """Raises Unverified for a candidate that was right before it was timed and is wrong afterwards."""
    if not check.passed:
        raise Unverified(
            tr(
                "{name} gets no time: it was right before it was timed, but afterwards its RMS error is {error:.2e}, "
                "and at most {allowed:.2e} is allowed.",
                name=name,
                error=check.rms_error,
                allowed=check.allowed_rms_error,
            )
        )
