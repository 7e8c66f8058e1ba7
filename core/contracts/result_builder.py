"""Builds a result: an experiment fills it phase by phase, and yields it as a Partial when it has grown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

from core.contracts.result import Metric, Result

R = TypeVar("R", bound=Result)


class ResultBuilder(Generic[R]):
    """Holds the newest result. `add` replaces it, so that a result that was handed out never changes."""

    def __init__(self, empty: R) -> None:
        self.result = empty

    def add(self, metrics: Mapping[str, Metric] | None = None, **fields: Any) -> None:
        """Set fields of the topic's result class, and add metrics to those already there."""
        self.result = replace(self.result, metrics={**self.result.metrics, **(metrics or {})}, **fields)
