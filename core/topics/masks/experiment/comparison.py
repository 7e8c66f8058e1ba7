"""Every implementation on the same inputs: error against float64, NaN rows, and time where the device really ran it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from core.contracts.result import Row
from core.engine.steps import ProgressCallback
from core.hardware.timing import Candidate, Check, Timing, check_against, time_candidates
from core.topics.masks.experiment.block_sparse import attend, tiles_of
from core.topics.masks.experiment.implementations import (
    LABELS,
    dense_plus_mask,
    flex_label,
    flex_runner,
    sdpa_bool_mask,
)
from core.topics.masks.experiment.problem import Problem
from core.topics.masks.experiment.tracing import Traced

ERROR_FACTOR = 3.0
"""How many times PyTorch's own rms error in the same precision an implementation may be off."""

_ROUNDS = 15
_TIMING_BUDGET_S = 2.0


@dataclass(frozen=True)
class Contender:
    """One implementation. `runs_on` is 'cuda', 'cpu', 'emulated' or 'unavailable'; then `reason` says why.

    `check` is over the rows that see something, None where there are none; `nan_rows` counts, over all heads, the rows
    with a NaN among those that see nothing; `run` computes it once more, where the device itself does.
    """

    impl: str
    label: str
    runs_on: str
    reason: str = ""
    check: Check | None = None
    nan_rows: int | None = None
    mask_bytes: int | None = None
    run: Callable[[], torch.Tensor] | None = None
    timing: Timing | None = None

    def as_row(self, fully_masked_rows: int, visible_flops: float) -> Row:
        """A line of the 'comparison' table; FLOP/s by what the mask shows, so that skipping counts as speed."""
        check, timing = self.check, self.timing
        return {
            "impl": self.impl,
            "label": self.label,
            "runs_on": self.runs_on,
            "reason": self.reason,
            "time_ms": timing.median_ms if timing else None,
            "time_ms_samples": timing.samples_ms.tolist() if timing else [],
            "tflops": visible_flops / timing.median_ms / 1e9 if timing else None,
            "peak_memory_bytes": timing.peak_memory_bytes if timing else None,
            "max_abs_error": _finite(check.max_abs_error) if check else None,
            "rms_error": _finite(check.rms_error) if check else None,
            "allowed_rms_error": check.allowed_rms_error if check else None,
            "passed": check.passed if check else None,
            "nan_rows": self.nan_rows,
            "fully_masked_rows": fully_masked_rows,
            "mask_bytes": self.mask_bytes,
        }


def check_all(
    problem: Problem, reference: torch.Tensor, traced: Traced | str, progress: ProgressCallback
) -> tuple[Contender, ...]:
    """Every implementation against the reference, in the order of `LABELS`.

    `traced` is what tracing the block-sparse kernel gave; on a GPU the kernel itself is launched once more.
    """
    progress(0, len(LABELS), "checking dense plus mask")
    allowed = _allowed_rms_error(problem, dense_plus_mask(problem), reference)
    contenders = [_checked(problem, reference, allowed, "torch-naive", lambda: dense_plus_mask(problem))]
    progress(1, len(LABELS), "checking SDPA")
    contenders.append(_checked(problem, reference, allowed, "sdpa-bool-mask", lambda: sdpa_bool_mask(problem)))
    progress(2, len(LABELS), "checking FlexAttention")
    contenders.append(_checked_flex(problem, reference, allowed))
    progress(3, len(LABELS), "checking the block-sparse kernel")
    contenders.append(_checked_sparse(problem, reference, allowed, traced))
    return tuple(contenders)


def time_all(problem: Problem, contenders: tuple[Contender, ...], progress: ProgressCallback) -> tuple[Contender, ...]:
    """The same, with times for those that the device itself ran and that passed their check."""
    candidates = [
        Candidate(c.impl, c.run, c.check) for c in contenders if c.run is not None and c.check and c.check.passed
    ]
    timings = time_candidates(
        candidates,
        problem.device,
        rounds=_ROUNDS,
        warm_up_rounds=3 if problem.device.type == "cuda" else 1,
        budget_s=_TIMING_BUDGET_S,
        progress=progress,
    )
    return tuple(replace(c, timing=timings.get(c.impl)) for c in contenders)


def fully_masked_rows(problem: Problem) -> int:
    """Rows that see nothing, over all heads and sequences."""
    return int((~problem.sees).sum()) * int(problem.q.shape[1])


def _checked_flex(problem: Problem, reference: torch.Tensor, allowed: float) -> Contender:
    try:
        run, block_mask = flex_runner(problem)
        checked = _checked(problem, reference, allowed, "flex", run)
    except (RuntimeError, ValueError, NotImplementedError, torch._dynamo.exc.TorchDynamoException) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        return Contender("flex", flex_label(problem), "unavailable", f"FlexAttention declined: {reason[:200]}")
    tensors = (value for value in block_mask.as_tuple() if isinstance(value, torch.Tensor))
    return replace(
        checked, label=flex_label(problem), mask_bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    )


def _checked_sparse(problem: Problem, reference: torch.Tensor, allowed: float, traced: Traced | str) -> Contender:
    """Where there is a GPU the kernel itself; elsewhere what its IR computed while it was traced."""
    tiles = tiles_of(problem)
    if isinstance(traced, str) or isinstance(tiles, str):
        return Contender("block-sparse", LABELS["block-sparse"], "unavailable", str(traced))
    if problem.device.type == "cuda":
        checked = _checked(problem, reference, allowed, "block-sparse", lambda: attend(problem, tiles))
    else:
        checked = _outcome(problem, reference, allowed, "block-sparse", traced.out, "emulated")
    return replace(checked, mask_bytes=tiles.list_bytes)


def _checked(
    problem: Problem, reference: torch.Tensor, allowed: float, impl: str, run: Callable[[], torch.Tensor]
) -> Contender:
    found = _outcome(problem, reference, allowed, impl, run(), problem.device.type)
    return replace(found, run=run, mask_bytes=problem.dense.numel())


def _outcome(
    problem: Problem, reference: torch.Tensor, allowed: float, impl: str, out: torch.Tensor, runs_on: str
) -> Contender:
    rows = problem.sees.expand(out.shape[:-1])
    check = check_against(out[rows], reference[rows], allowed) if bool(rows.any()) else None
    nan_rows = int(out[~rows].isnan().any(-1).sum())
    return Contender(impl, LABELS[impl], runs_on, check=check, nan_rows=nan_rows)


def _allowed_rms_error(problem: Problem, naive: torch.Tensor, reference: torch.Tensor) -> float:
    """A few times the error of PyTorch's plain attention in this precision; never under half a unit of rounding."""
    rows = problem.sees.expand(naive.shape[:-1])
    if not bool(rows.any()):
        return 0.0
    own = check_against(naive[rows], reference[rows], math.inf).rms_error
    half_a_unit = torch.finfo(naive.dtype).eps / 2 * float(reference[rows].square().mean().sqrt())
    return max(ERROR_FACTOR * own, half_a_unit)


def _finite(value: float) -> float | None:
    """JSON has no NaN: an error that is not a number is null, and the check has failed."""
    return value if math.isfinite(value) else None
