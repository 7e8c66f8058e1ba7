"""A family: what can be compared, by which implementations, over which parameters. No torch: the window reads it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from core.contracts.text import EMPTY, Text
from core.families.axes import Axis, Case, Value

Kind = Literal["triton", "torch", "library"]

ELEMENT_BYTES: Mapping[str, int] = {"fp32": 4, "fp16": 2, "bf16": 2}


@dataclass(frozen=True)
class Contender:
    """One implementation of a family. A 'triton' one is traced and compiled; a 'library' is one that may be missing.

    `note` says what it computes differently, where it does.
    """

    id: str
    label: Text
    kind: Kind = "torch"
    note: Text = EMPTY


@dataclass(frozen=True)
class Cost:
    """What a case takes by the formula, whatever an implementation does besides. Modelled.

    `least_bytes` counts inputs and outputs once each. `held_bytes` estimates the memory of a comparison on a CPU: all
    tensors that the float64 reference and the wasteful implementations hold at once.
    """

    flops: float
    least_bytes: float
    dtype: str
    held_bytes: float = 0.0

    @property
    def intensity_flops_per_byte(self) -> float:
        return self.flops / self.least_bytes if self.least_bytes else math.inf


@dataclass(frozen=True)
class Preset:
    """Values that differ from the defaults, and what is swept: the name of an axis and its values."""

    case: Mapping[str, Value]
    sweep: tuple[str, tuple[Value, ...]] | None = None


def accept(case: Case) -> None:
    """The default check: every combination of values can be computed."""


@dataclass(frozen=True)
class Family:
    """One operation with its contenders, the strongest rivals among them.

    `baseline` is the contender that the others are compared with, and `unfused` the one with a Triton kernel per step,
    '' where there is none. `quick` takes seconds on a CPU, `full` has the sizes of the targets on a GPU. `problem` is
    'module:function', since only a worker may import that module: it builds the inputs of a case
    (`core.families.running.problem`). `check` raises InvalidParams for a combination that is impossible. `resolve`
    fills in values that follow from others.
    """

    id: str
    label: Text
    summary: Text
    axes: tuple[Axis, ...]
    contenders: tuple[Contender, ...]
    baseline: str
    quick: Preset
    full: Preset
    cost: Callable[[Case], Cost]
    problem: str
    check: Callable[[Case], None] = accept
    resolve: Callable[[Case], Case] = dict
    packages: tuple[str, ...] = ()
    unfused: str = ""

    @property
    def defaults(self) -> dict[str, Value]:
        """The default of every axis."""
        return {axis.name: axis.default for axis in self.axes}

    def contender(self, contender_id: str) -> Contender:
        """The contender of that id. Raises KeyError."""
        found = next((each for each in self.contenders if each.id == contender_id), None)
        if found is None:
            raise KeyError(contender_id)
        return found
