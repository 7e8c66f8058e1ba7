"""Times candidates in turns, only after each passed its check, and again checks them afterwards. Worker only: torch."""

from core.hardware.timing.checks import Check, Unverified, check_against
from core.hardware.timing.measuring import Candidate, Measurement, Timing, measure
from core.hardware.timing.samplers import Method

__all__ = [
    "Candidate",
    "Check",
    "Measurement",
    "Method",
    "Timing",
    "Unverified",
    "check_against",
    "measure",
]
