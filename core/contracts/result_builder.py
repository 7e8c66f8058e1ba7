"""A result in the making: an experiment fills it phase by phase, and yields it as a Partial when there is news."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

from core.contracts.result import Metric, Result

R = TypeVar("R", bound=Result)


class ResultBuilder(Generic[R]):
    """Holds the newest result; `add` replaces it, so that one that was handed out never changes."""

    def __init__(self, empty: R) -> None:
        self.result = empty

    def add(self, metrics: Mapping[str, Metric] | None = None, **fields: Any) -> None:
        """Put fields of the topic's result class in place, and metrics beside those that are there."""
        self.result = replace(self.result, metrics={**self.result.metrics, **(metrics or {})}, **fields)
