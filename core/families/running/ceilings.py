"""What the device does at most, measured in the same run as the comparison: copy, read and matrix product."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from core.contracts.text import Text, tr
from core.engine.steps import ProgressCallback
from core.families.running.problem import DTYPES
from core.hardware.timing import Candidate, Check, measure
from core.recordings.run import Ceiling
from kernels.errors import KernelError
from kernels.yardsticks.read import read_all

_BYTES = {"cpu": 128 << 20, "cuda": 1 << 30}
"""More than any cache holds."""

_LARGEST_SIDE = {"cpu": 4096, "cuda": 8192}
_LEAST_PRODUCT_S = 0.02
_ROUNDS, _BUDGET_S = 9, 1.0
_RIGHT = Check(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class _Yardstick:
    """What the device does as fast as it can. `work` counts bytes or FLOPs; `is_right` looks at its output."""

    id: str
    label: Text
    work: float
    run: Callable[[], torch.Tensor]
    is_right: Callable[[torch.Tensor], bool]
    dtype: str = ""


def ceilings(device: torch.device, dtype: str, threads: int | None, progress: ProgressCallback) -> tuple[Ceiling, ...]:
    """Copy and read of more than the caches hold, and a product of square matrices in `dtype`. What cannot run here, or
    gives a wrong result, is left out."""
    yardsticks = [each for each in _yardsticks(device, dtype) if _works(each)]
    measured = measure(
        [Candidate(each.id, each.run, _RIGHT) for each in yardsticks],
        device,
        rounds=_ROUNDS,
        budget_s=_BUDGET_S,
        threads=threads,
        progress=lambda done, total, phase: progress(done, total, tr("measuring copy, read and matrix product")),
    )
    return tuple(
        Ceiling(
            each.id,
            each.label,
            each.work / (measured.timings[each.id].median_ms * 1e-3),
            each.work,
            tuple(measured.timings[each.id].samples_ms.tolist()),
            each.dtype,
        )
        for each in yardsticks
        if each.id in measured.timings
    )


def _yardsticks(device: torch.device, dtype: str) -> Iterator[_Yardstick]:
    words = torch.arange(_BYTES[device.type] // 8, device=device)
    copied = torch.empty_like(words)
    total = int(words.numel() * (words.numel() - 1) // 2)
    yield _Yardstick(
        "copy",
        tr("copy"),
        2.0 * words.nbytes,
        lambda: copied.copy_(words),
        lambda out: bool(torch.equal(out, words)),
    )
    yield _Yardstick("read", tr("read"), float(words.nbytes), lambda: read_all(words), lambda out: int(out) == total)
    a, b = _square_matrices(device, DTYPES[dtype])
    side = len(a)
    yield _Yardstick(
        "matmul",
        tr("matrix product, {side} × {side}", side=side),
        2.0 * side**3,
        lambda: a @ b,
        lambda out: bool(torch.isfinite(out).all()),
        dtype,
    )


def _square_matrices(device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Large enough to reach the peak, or for a product to take 20 ms: a CPU without instructions for `dtype` needs
    seconds for what others do in milliseconds."""
    side = 256
    while True:
        a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        if side >= _LARGEST_SIDE[device.type] or min(_seconds(a, b) for _ in range(3)) > _LEAST_PRODUCT_S:
            return a, b
        side *= 2


def _seconds(a: torch.Tensor, b: torch.Tensor) -> float:
    started = time.perf_counter()
    (a @ b).sum().item()
    return time.perf_counter() - started


def _works(yardstick: _Yardstick) -> bool:
    try:
        return yardstick.is_right(yardstick.run())
    except (KernelError, RuntimeError):
        return False
