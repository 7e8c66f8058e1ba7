"""Proofs about the kernels of a run: collects what their launches show, and asks when the run has ended."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from core.contracts.text import tr
from core.engine.steps import ProgressCallback
from core.interpreter.frontend import Kernel
from core.interpreter.grid import Grid
from core.interpreter.replaying import TensorLike, replayed
from core.proofs.comparisons import uncompared
from core.proofs.family import Seen, TensorSeen
from core.proofs.prove import SECONDS, prove
from core.proofs.record import Proof
from core.trace.record import Launch
from core.user_code.paths import in_project, shown

_MOST_LAUNCHES = 64
"""Different launches of a kernel that are compared."""

_HINTS = re.compile(r" \{tt\.[a-z_]+ = [^}]*\}")
"""What Triton notes about an argument of these launches; it changes no address."""


@dataclass
class _Launched:
    """A kernel, its different launches, and the dtypes of its tensors by position."""

    kernel: Kernel
    dtypes: Mapping[int, str]
    seen: dict[Seen, None] = field(default_factory=dict)

    @property
    def most_elements(self) -> int:
        """The elements of the tensors of the largest launch."""
        return max(launch.elements for launch in self.seen)


class Launches:
    """The launches of a run, by kernel. `_keys` keeps each kernel, so that no other one gets its id."""

    def __init__(self) -> None:
        self._kernels: dict[tuple[object, ...], _Launched] = {}
        self._keys: dict[int, tuple[Kernel, tuple[object, ...]]] = {}

    def add(self, kernel: Kernel, bound: Mapping[str, Any], arguments: Sequence[Any], grid: Grid) -> None:
        """Note what a launch shows."""
        kinds = kernel.signature
        constants = [(name, value) for name, value in bound.items() if kinds.get(name) == "constexpr"]
        numbers = tuple((name, int(value)) for name, value in constants if isinstance(value, int))
        parameters = kernel.plan.function.arguments
        names = tuple(value.name for value in parameters)
        noted = tuple(_noted(name, argument) for name, argument in zip(names, arguments, strict=True))
        if id(kernel) not in self._keys:
            text = _HINTS.sub("", kernel.ttir)
            self._keys[id(kernel)] = kernel, (kernel.file, kernel.first_line, kernel.name, text)
        _, key = self._keys[id(kernel)]
        dtypes = {
            index: str(argument.dtype).removeprefix("torch.")
            for index, argument in enumerate(arguments)
            if isinstance(argument, torch.Tensor)
        }
        launched = self._kernels.setdefault(key, _Launched(kernel, dtypes))
        if len(launched.seen) < _MOST_LAUNCHES:
            launched.seen[Seen(names, noted, grid, numbers, uncompared(kernel.plan.function))] = None

    def largest(self) -> list[tuple[Kernel, tuple[Seen, ...]]]:
        """Each kernel once, in the version that had the launch with the most elements, and that version's launches."""
        chosen: dict[tuple[object, ...], _Launched] = {}
        for launched in self._kernels.values():
            place = (launched.kernel.file, launched.kernel.first_line, launched.kernel.name)
            known = chosen.get(place)
            if known is None or launched.most_elements > known.most_elements:
                chosen[place] = launched
        return [(launched.kernel, tuple(launched.seen)) for launched in chosen.values()]

    def proofs(self, progress: ProgressCallback, seconds: float = SECONDS) -> tuple[Proof, ...]:
        """The answer about each kernel, in the order of their first launches. Files are named as in results. Each may
        take `seconds`."""
        found = []
        for number, launched in enumerate(self._kernels.values()):
            kernel = launched.kernel
            progress(number, len(self._kernels), tr("proving {kernel}", kernel=kernel.name))
            place = (kernel.file, kernel.first_line)
            proof = prove(kernel.plan.function, place, tuple(launched.seen), _Replay(launched), seconds)
            found.append(replace(proof, file=shown(proof.file), sentence=in_project(proof.sentence)))
        return tuple(found)


@dataclass(frozen=True)
class _Replay:
    """Executes a kernel with other sizes."""

    launched: _Launched

    def __call__(self, arguments: Sequence[Any], grid: Grid) -> Launch | None:
        made = [
            TensorLike(argument.shape, argument.strides, self.launched.dtypes[index])
            if isinstance(argument, TensorSeen)
            else argument
            for index, argument in enumerate(arguments)
        ]
        return replayed(self.launched.kernel, made, grid)


def _noted(name: str, argument: Any) -> int | float | bool | TensorSeen | None:
    if isinstance(argument, torch.Tensor):
        return TensorSeen(name, tuple(argument.shape), tuple(argument.stride()), argument.element_size())
    return argument if isinstance(argument, int | float) else None
