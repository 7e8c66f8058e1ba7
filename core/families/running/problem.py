"""One case of a family on a device: its implementations on the same inputs, and what their outputs should be."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch

from core.comparison import ImplResult
from core.contracts.result import number_or_none
from core.contracts.text import tr
from core.families.axes import Case
from core.families.family import Cost, Family
from core.hardware.compare import allowed_rms_error
from core.hardware.timing import Check, check_against

R = TypeVar("R", bound=ImplResult)
Outputs = tuple[torch.Tensor, ...]
Run = Callable[[], Outputs]

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def whole(outputs: Outputs) -> Outputs:
    """The default part: everything is checked."""
    return outputs


@dataclass(frozen=True)
class Problem:
    """The runs of a case by contender, all of the same work on the same inputs.

    A run raises KernelError where it cannot do its work here. `exact` computes in float64 what the `part` of every
    run's outputs should be, and `plain` the same part by plain PyTorch in the precision of the inputs: an output passes
    with at most ERROR_FACTOR times its error, or with `allowed_rms_error` where that is given. Without `exact`, nothing
    is checked, and so nothing is timed. `part` cuts whole outputs to what is checked. `inputs` are tensors that no run
    may change. `cost` is what the case takes, where only the problem knows it. PyTorch does a part of the work of the
    contenders `partly_traced`, so no time can be modelled from the trace of their Triton kernels. `prepare` does what
    the run of a contender needs beforehand, such as the forward pass where only the gradients are compared: it may be
    called again, which replaces what it kept, and is neither traced nor timed. It raises as a run does.
    """

    runs: Mapping[str, Run]
    exact: Run | None
    plain: Run | None
    part: Callable[[Outputs], Outputs] = whole
    allowed_rms_error: float | None = None
    inputs: Outputs = ()
    cost: Cost | None = None
    partly_traced: frozenset[str] = frozenset()
    prepare: Mapping[str, Callable[[], object]] = field(default_factory=dict)


def build(family: Family, case: Case, seed: int, device: torch.device) -> Problem:
    """The problem of a resolved case. Raises what the family raises: KernelError, or torch's errors of memory."""
    module, function = family.problem.split(":")
    problem: Problem = getattr(importlib.import_module(module), function)(case, seed, device)
    return problem


class Assessor:
    """Checks outputs of one problem. The reference is computed once, with the first check."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._inputs = tuple(tensor.clone() for tensor in problem.inputs)
        self._expected: tuple[tuple[torch.Tensor, float], ...] | None = None

    def __call__(self, result: R, outputs: Outputs) -> R:
        """The result with the errors of the output that is worst against what is allowed.

        One that has changed an input, which is put back, has not passed, nor has one whose outputs have other shapes
        than the reference.
        """
        if self._restored():
            return replace(
                result, passed=False, reason=tr("It changes its inputs, which the others need as they were.")
            )
        if self._problem.exact is None:
            return result
        parts, expected = self._problem.part(outputs), self._reference(self._problem.exact)
        shapes, right = ([list(part.shape) for part in each] for each in (parts, [exact for exact, _ in expected]))
        if shapes != right:
            reason = tr(
                "It returns tensors of shape {shapes}, and the reference {right}.",
                shapes=", ".join(map(str, shapes)),
                right=", ".join(map(str, right)),
            )
            return replace(result, passed=False, reason=reason)
        checks = [
            check_against(part.detach(), exact, allowed) for part, (exact, allowed) in zip(parts, expected, strict=True)
        ]
        worst = max(checks, key=_badness)
        return replace(
            result,
            max_abs_error=number_or_none(worst.max_abs_error),
            rms_error=number_or_none(worst.rms_error),
            allowed_rms_error=worst.allowed_rms_error,
            passed=worst.passed,
        )

    def _restored(self) -> bool:
        """Whether an input had been changed."""
        changed = [
            (tensor, kept)
            for tensor, kept in zip(self._problem.inputs, self._inputs, strict=True)
            if not torch.equal(torch.nan_to_num(tensor), torch.nan_to_num(kept))
        ]
        for tensor, kept in changed:
            tensor.copy_(kept)
        return bool(changed)

    def _reference(self, exact: Run) -> tuple[tuple[torch.Tensor, float], ...]:
        """Each part that is right, and the RMS error that it is allowed."""
        if self._expected is None:
            right, fixed = exact(), self._problem.allowed_rms_error
            if fixed is not None or self._problem.plain is None:
                self._expected = tuple((part, fixed or 0.0) for part in right)
            else:
                plain = self._problem.plain()
                self._expected = tuple(
                    (part, allowed_rms_error(near.detach(), part)) for near, part in zip(plain, right, strict=True)
                )
        return self._expected


def _badness(check: Check) -> tuple[bool, float]:
    """Orders checks: those that failed last, among them and among the others the one nearest to what is allowed."""
    return not check.passed, check.rms_error / check.allowed_rms_error if check.allowed_rms_error else 0.0


def without_gradients(run: Callable[[], torch.Tensor]) -> Outputs:
    """The one output of a run that records nothing for a backward pass."""
    with torch.no_grad():
        return (run(),)


def generator(seed: int, device: torch.device) -> torch.Generator:
    """Random numbers for the inputs: the same for the same seed on the same kind of device."""
    return torch.Generator(device=device).manual_seed(seed)


def normal(shape: tuple[int, ...], numbers: torch.Generator, dtype: torch.dtype, scale: float = 1.0) -> torch.Tensor:
    """Normal random numbers on the generator's device."""
    return (torch.randn(shape, generator=numbers, device=numbers.device) * scale).to(dtype)


def random_matrix(case: Case, seed: int, device: torch.device) -> torch.Tensor:
    """[rows, columns] normal numbers in the precision of the case."""
    return normal((int(case["rows"]), int(case["columns"])), generator(seed, device), DTYPES[str(case["dtype"])])
