"""What differs between two runs of one topic: A, which is kept, and B, which is compared with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from core.contracts.params import FieldSpec, Params, Scalar
from core.contracts.result import Metric


@dataclass(frozen=True)
class NumberPair:
    """One metric in A and in B; None in a run that does not have it."""

    name: str
    a: Metric | None
    b: Metric | None

    @property
    def unit(self) -> str:
        """That of B, or of A where B does not have the metric."""
        metric = self.b or self.a
        return metric.unit if metric is not None else ""

    @property
    def difference(self) -> float | None:
        """B less A; None without two finite numbers of one unit."""
        if self.a is None or self.b is None or self.a.unit != self.b.unit:
            return None
        difference = self.b.value - self.a.value
        return difference if math.isfinite(difference) else None

    @property
    def ratio(self) -> float | None:
        """B over A; None where there is no difference to speak of, or A is zero."""
        if self.difference is None or self.a is None or self.b is None or not self.a.value:
            return None
        return self.b.value / self.a.value

    @property
    def differs(self) -> bool:
        """Whether the two runs do not say the same; two that have no number do."""
        if self.a is None or self.b is None:
            return True
        both_unknown = math.isnan(self.a.value) and math.isnan(self.b.value)
        return not both_unknown and (self.a.value, self.a.unit) != (self.b.value, self.b.unit)


def number_pairs(a: Mapping[str, Metric], b: Mapping[str, Metric]) -> list[NumberPair]:
    """Every metric of B in its order, then those that only A has."""
    names = dict.fromkeys((*b, *a))
    return [NumberPair(name, a.get(name), b.get(name)) for name in names]


def different_params(a: Params, b: Params) -> list[tuple[FieldSpec, Scalar, Scalar]]:
    """The parameters with other values in B than in A, and both values. Those that only change what is shown of a run
    are left out."""
    pairs = [(spec, getattr(a, spec.name), getattr(b, spec.name)) for spec in a.specs() if not spec.view_only]
    return [(spec, before, after) for spec, before, after in pairs if before != after]
