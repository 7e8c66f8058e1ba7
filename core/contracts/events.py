"""What a run reports to its caller: a closed union of events.

An experiment yields `Progress` and `Partial`. The engine adds the rest: every run emits `Started` once,
then any number of `Progress` and `Partial`, then exactly one of `Finished`, `Failed`, `Cancelled`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.contracts.text import Text, tr

if TYPE_CHECKING:
    from core.contracts.result import Result


@dataclass(frozen=True)
class Started:
    """The run reached a worker. `device` is what it runs on, e.g. 'cpu' or 'cuda (NVIDIA H200)'."""

    worker: str
    device: str


@dataclass(frozen=True)
class Progress:
    """`done` of `total` units of the whole run; `phase` is a few words for the run bar."""

    done: float
    total: float
    phase: Text


@dataclass(frozen=True)
class Partial:
    """A partly filled result, of the topic's own type."""

    result: Result


@dataclass(frozen=True)
class Finished:
    """`seconds` is how long the experiment itself took, without waiting for a worker or importing; None if unknown.

    `is_warm` says that the worker had run the topic before: a first run compiles kernels and fills caches besides.
    """

    result: Result
    seconds: float | None = field(default=None, compare=False)
    is_warm: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Failed:
    """`sentence` is for the user, `detail` (a traceback or worker log) for the log tab.

    `stack` is the user's own part of the traceback, where it was code of theirs that failed: shown on request.

    `blames` is the parameter that caused it, if known. `invalid_input` says that the user can correct it: by other
    parameters, another device, or by installing something.
    """

    sentence: Text
    detail: str = ""
    blames: str | None = None
    invalid_input: bool = False
    stack: str = ""


@dataclass(frozen=True)
class Cancelled:
    reason: Text = tr("cancelled")  # noqa: RUF009


Event = Started | Progress | Partial | Finished | Failed | Cancelled
TERMINAL = (Finished, Failed, Cancelled)
