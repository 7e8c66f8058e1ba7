"""Executes a kernel on tensors of chosen sizes, with random values, to see whether a predicted fault occurs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import torch

from core.interpreter.diagnostics import Diagnostics
from core.interpreter.executor import execute
from core.interpreter.frontend import Kernel
from core.interpreter.grid import MAX_GRID, Grid
from core.interpreter.units import in_one_unit
from core.trace.record import Launch, WatchRecorder

_MOST_BYTES = 64 << 20
_MOST_PROGRAMS = 1 << 14

SECONDS = 3.0
"""How long an execution may take."""


class _TimeIsOver(Exception):
    """The execution took too long."""


@dataclass(frozen=True)
class TensorLike:
    """A tensor to make: its shape, strides (elements), and the name of its torch dtype ('float32')."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: str

    @property
    def span(self) -> int:
        """Elements from the first to the last."""
        last = sum((dim - 1) * stride for dim, stride in zip(self.shape, self.strides, strict=True))
        return last + 1 if all(self.shape) else 0


def replayed(kernel: Kernel, arguments: Sequence[Any], grid: Grid, seconds: float = SECONDS) -> Launch | None:
    """The launch of a kernel on new tensors: each `TensorLike` among the arguments becomes one; integers hold zeros.

    None if it is too large to execute here, or takes longer than `seconds`. Raises TilescopeError where the kernel
    cannot be executed.
    """
    tensors = [argument for argument in arguments if isinstance(argument, TensorLike)]
    sizes = [tensor.span * getattr(torch, tensor.dtype).itemsize for tensor in tensors]
    too_large = sum(sizes) > _MOST_BYTES or math.prod(grid) > _MOST_PROGRAMS
    if too_large or any(side > most for side, most in zip(grid, MAX_GRID, strict=True)):
        return None
    made = [_made(argument) if isinstance(argument, TensorLike) else argument for argument in arguments]
    diagnostics = Diagnostics(stop_at_faults=False)
    ends_at = monotonic() + seconds

    def require_time(*_: object) -> None:
        if monotonic() >= ends_at:
            raise _TimeIsOver

    try:
        memories, run = execute(
            kernel.plan,
            made,
            grid,
            memory_budget_bytes=256 << 20,
            watcher=WatchRecorder((), None, 0),
            progress=require_time,
            diagnostics=diagnostics,
        )
    except _TimeIsOver:
        return None
    buffers, accesses, faults = in_one_unit(memories, run.accesses, diagnostics.faults)
    return Launch(
        function=kernel.name,
        file=kernel.file,
        first_line=kernel.first_line,
        source=kernel.source,
        ttir=kernel.ttir,
        grid=grid,
        buffers=buffers,
        accesses=accesses,
        faults=faults,
    )


def _made(like: TensorLike) -> torch.Tensor:
    dtype = getattr(torch, like.dtype)
    flat = torch.zeros(like.span, dtype=dtype)
    if dtype.is_floating_point:
        generator = torch.Generator().manual_seed(0)
        flat = torch.rand(like.span, generator=generator).to(dtype)
    return flat.as_strided(like.shape, like.strides)
