"""What an experiment returns: numpy arrays, small tables and named metrics with a unit and a provenance."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

import numpy as np


class Provenance(StrEnum):
    """How a number was obtained. Drawn beside it wherever it is shown."""

    MEASURED = "measured"
    MEASURED_CPU = "measured (CPU)"
    TRACED = "traced"
    MODELLED = "modelled"
    RECORDED = "recorded"


@dataclass(frozen=True)
class Metric:
    """One number. `unit` is '' for a pure ratio or count; `note` says the assumption or the spread."""

    value: float
    unit: str
    provenance: Provenance
    note: str = ""


@dataclass(frozen=True)
class Environment:
    """Where a result comes from: device, how kernels ran on it, and the versions of what matters."""

    device: str
    backend: str
    versions: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, str]:
        return {"device": self.device, "backend": self.backend, **self.versions}


Row = dict[str, Any]
"""One line of a table: JSON values only (str, int, float, bool, None)."""


@dataclass(frozen=True)
class Result:
    """Everything a page draws and a claim tests, with nothing that needs torch to read.

    `params` is the JSON form of the topic's Params; `arrays` and `tables` are named by the topic
    (its payload.py documents the names, shapes and units).
    """

    topic: str
    params: Mapping[str, Any]
    environment: Environment
    metrics: Mapping[str, Metric]
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    tables: Mapping[str, list[Row]] = field(default_factory=dict)

    def value(self, name: str) -> float:
        """The value of a metric, or NaN where the run did not produce it."""
        metric = self.metrics.get(name)
        return math.nan if metric is None else metric.value

    def to_bytes(self) -> bytes:
        """An .npz whose member `__result__` is the JSON of everything that is not an array. No pickle."""
        header = json.dumps(
            {
                "topic": self.topic,
                "params": dict(self.params),
                "environment": {**asdict(self.environment), "versions": dict(self.environment.versions)},
                "metrics": {name: asdict(metric) for name, metric in self.metrics.items()},
                "tables": dict(self.tables),
            }
        )
        buffer = io.BytesIO()
        members = {f"array:{name}": array for name, array in self.arrays.items()}
        np.savez_compressed(buffer, __result__=np.array(header), **members)  # type: ignore[arg-type]
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of `to_bytes`. Raises ValueError if the data is not such an archive."""
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            header = json.loads(str(archive["__result__"]))
            arrays = {name.removeprefix("array:"): archive[name] for name in archive.files if name != "__result__"}
        return cls(
            topic=header["topic"],
            params=header["params"],
            environment=Environment(**header["environment"]),
            metrics={
                name: Metric(**{**metric, "provenance": Provenance(metric["provenance"])})
                for name, metric in header["metrics"].items()
            },
            arrays=arrays,
            tables=header["tables"],
        )
