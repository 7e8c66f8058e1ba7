"""What the engine is doing, for the status bar."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.contracts.text import EMPTY, Text


class Phase(StrEnum):
    """`restarting`: the worker died and a new one is starting. `failed` and `closed` are final."""

    STARTING = "starting"
    READY = "ready"
    BUSY = "busy"
    RESTARTING = "restarting"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True)
class EngineState:
    """`detail` is a clause or, when failed, a sentence; `device` is '' until a worker has reported it.
    `is_insecure`: the scheduler is reached without encryption."""

    phase: Phase
    detail: Text = EMPTY
    device: str = ""
    is_insecure: bool = False
