"""What an experiment returns: one frozen dataclass per topic, with named metrics that have a unit and a provenance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from core.contracts import archive
from core.contracts.params import Params
from core.contracts.provenance import Provenance as Provenance
from core.contracts.text import EMPTY, Text


@dataclass(frozen=True)
class Metric:
    """One number. `unit` (see `core.units`) is '' for a ratio or count; `note` says the assumption or the spread."""

    value: float
    unit: str
    provenance: Provenance
    note: Text = EMPTY


@dataclass(frozen=True)
class Environment:
    """Where a result comes from: the device, how kernels ran on it, and the versions of the libraries."""

    device: str
    backend: str
    versions: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, str]:
        return {"device": self.device, "backend": self.backend, **self.versions}


NOT_STAMPED = Environment("", "")
"""The environment of a result until the worker fills it in, which it does for every topic."""


@dataclass(frozen=True)
class Message:
    """What the user should know about a run besides its numbers. `severity` is 'notice' or 'warning'."""

    severity: str
    text: Text


@dataclass(frozen=True)
class KernelSource:
    """The source of one kernel function that was traced: `text` begins at line `first_line` (from 1) of `file`."""

    kernel: str
    function: str
    file: str
    first_line: int
    text: str
    ttir: str


@dataclass(frozen=True)
class LineTraffic:
    """What one source line moved between one tensor and memory. Traced.

    `op` is 'load' or 'store' (or an atomic's name), `accesses` counts elements, `masked_share` is 0 to 1.
    """

    kernel: str
    function: str
    file: str
    line: int
    op: str
    tensor: str
    accesses: int
    bytes: int
    masked_share: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """Everything a page draws and a claim tests, with nothing that needs torch to read.

    A topic subclasses it: a frozen dataclass whose fields hold numpy arrays (`core.contracts.archive.Array`), scalars,
    and frozen dataclasses, tuples and mappings of these; its docstring gives shapes, dtypes and units. Every field has
    a default, so that a Partial is the same type, partly filled. `topic` is the id of the topic.
    """

    topic: str = ""
    params: Params
    environment: Environment = NOT_STAMPED
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    sources: tuple[KernelSource, ...] = ()
    lines: tuple[LineTraffic, ...] = ()
    messages: tuple[Message, ...] = ()

    @property
    def notices(self) -> tuple[Message, ...]:
        """All that is said beside the numbers: the messages, and what a topic keeps elsewhere."""
        return self.messages

    @property
    def params_json(self) -> dict[str, Any]:
        """The parameters as JSON values."""
        return self.params.model_dump(mode="json")

    def value(self, name: str) -> float:
        """The value of a metric, or NaN where the run did not produce it."""
        metric = self.metrics.get(name)
        return math.nan if metric is None else metric.value

    def is_run_of(self, params: Params) -> bool:
        """Whether this is the run with these parameters: they differ at most in `view_only` ones."""
        return params.needs_same_run_as(self.params)

    def to_bytes(self, *, compress: bool = True) -> bytes:
        """An .npz of the arrays, with the rest as JSON. No pickle. Raises TypeError for a value of another kind."""
        return archive.pack({"format": _FORMAT, **archive.plain(self)}, compress=compress)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The inverse of `to_bytes`; also reads what earlier versions wrote. Raises ValueError for anything else."""
        tree = archive.unpack(data)
        if tree.pop("format", None) != _FORMAT:
            try:
                tree = cls.from_tables(tree)
            except archive.DAMAGE as error:
                raise ValueError(f"not the tables of a result: {error}") from error
        return archive.typed(cls, tree)

    @classmethod
    def from_tables(cls, stored: dict[str, Any]) -> dict[str, Any]:
        """The fields of a result that was stored before results were typed: `arrays` and `tables` by name.

        Names with dots become nested fields ('address.flash.read'), and tables the fields of their name. A topic whose
        fields are named otherwise overrides this.
        """
        tree = {name: stored[name] for name in ("params", "environment", "metrics")}
        tree.update(archive.nested(stored["arrays"]))
        tree.update(stored["tables"])
        known = {item.name for item in fields(cls)}
        return {name: value for name, value in tree.items() if name in known}

    def as_json(self) -> dict[str, Any]:
        """Everything but the arrays, as JSON values; texts are in the current language."""
        return dict(archive.without_arrays(archive.plain(self, text_of=str)))


_FORMAT = 2
"""The format that `to_bytes` writes. Format 1, which is not marked, had arrays and tables by name."""


def number_or_none(value: float) -> float | None:
    """The value; None for NaN and inf, which JSON does not have."""
    return value if math.isfinite(value) else None
