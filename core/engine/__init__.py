"""Runs experiments in worker processes."""

from core.engine.engine import Engine
from core.engine.runs import Run, RunCancelled
from core.engine.state import EngineState, Phase

__all__ = ["Engine", "EngineState", "Phase", "Run", "RunCancelled"]
