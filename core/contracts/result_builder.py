"""A result in the making: an experiment fills it phase by phase, and yields it as a Partial when there is news."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np

from core.contracts.params import Params
from core.contracts.result import Environment, Metric, Result, Row

R = TypeVar("R", bound=Result)


class ResultBuilder(Generic[R]):
    """Holds the newest result; `add` replaces it, so that one that was handed out never changes."""

    def __init__(self, empty: R) -> None:
        self.result = empty

    def add(self, metrics: Mapping[str, Metric] | None = None, **fields: Any) -> None:
        """Put fields of the topic's result class in place, and metrics beside those that are there."""
        self.result = replace(self.result, metrics={**self.result.metrics, **(metrics or {})}, **fields)


# Until every topic's result is typed.


@dataclass
class Draft:
    """A result in the making: an experiment fills it phase by phase."""

    topic: str
    params: Params
    environment: Environment
    metrics: dict[str, Metric] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    tables: dict[str, list[Row]] = field(default_factory=dict)

    def result(self) -> Result:
        """What there is by now; later changes of the draft do not reach it."""
        return Result(
            self.topic,
            self.params.model_dump(mode="json"),
            self.environment,
            dict(self.metrics),
            dict(self.arrays),
            dict(self.tables),
        )


def as_partial(result: Result) -> Result:
    return result


def from_partial(result: Result) -> Result:
    return result
