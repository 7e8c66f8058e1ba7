"""Runs experiments in worker processes."""

from typing import TYPE_CHECKING

from core.lazy_names import lazy_names

if TYPE_CHECKING:
    from core.engine.engine import Engine
    from core.engine.runs import Run, RunCancelled
    from core.engine.state import EngineState, Phase

__getattr__ = lazy_names(
    __name__, {"engine": ("Engine",), "runs": ("Run", "RunCancelled"), "state": ("EngineState", "Phase")}
)

__all__ = ["Engine", "EngineState", "Phase", "Run", "RunCancelled"]
