"""The fused LoRA products against PEFT's layer and cuBLAS, on a GPU: python -m tests.benchmarks.bench_lora_gpu.

Every candidate is checked against float64 before it is timed; what fails its check, or cannot run here, is named with
the reason and gets no time. FLOPs are those of the formula, whatever a candidate computes besides. The base product
alone, by cuBLAS, is a bound and no rival: it leaves the adapter out.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.hardware.timing import Candidate, Check, check_against, time_candidates
from kernels.errors import KernelError
from kernels.lora.api import Down, Impl, available, lora_linear, lora_linear_nf4
from kernels.lora.peft_peer import peft_module
from kernels.lora.reference import reference_gradients, reference_lora_linear
from kernels.quantization import api as quantization
from kernels.quantization.output import Quantized
from tests.benchmarks.bench_attention_gpu import environment, record

FUSED = "triton, as chosen"
PEFT = "peft"
COMPILED = "peft's steps, torch.compile"
BASE = "base product only, cuBLAS"
TARGET_RATIO = 1.3
"""How many times as long as the fused forward PEFT's is to take at d = 4096, rank 16, 8192 tokens."""
_SCALING = 2.0
_CHECKED_ROWS = 256
_ALLOWED_FACTOR = 2.0

Outputs = tuple[torch.Tensor, ...]
Run = Callable[[], Outputs]


@dataclass(frozen=True)
class Case:
    """`what`: "forward", "training" (forward and backward of x, A and B) or "forward nf4". A square weight."""

    what: str
    tokens: int
    width: int
    rank: int

    @property
    def flops(self) -> float:
        big = 2.0 * self.tokens * self.width * self.width
        narrow = 2.0 * self.tokens * self.width * self.rank
        return 2 * big + 6 * narrow if self.what == "training" else big + 2 * narrow


@dataclass(frozen=True)
class Row:
    case: Case
    name: str
    time_ms: float | None
    spread_ms: float | None
    tflops: float | None
    peak_memory_bytes: int | None
    rms_error: float | None
    reason: str = ""


@dataclass(frozen=True)
class Inputs:
    x: torch.Tensor
    weight: torch.Tensor
    a: torch.Tensor
    b: torch.Tensor
    dy: torch.Tensor


@dataclass(frozen=True)
class Rival:
    name: str
    run: Run
    check: Callable[[Outputs], Check]


def cases(tokens: Sequence[int], widths: Sequence[int], ranks: Sequence[int]) -> list[Case]:
    shapes = [(count, width, rank) for width in widths for count in tokens for rank in ranks]
    return [Case(what, *shape) for what in ("forward", "training", "forward nf4") for shape in shapes]


def inputs(case: Case, device: str) -> Inputs:
    """bfloat16, with weights and adapters as small as trained ones, so that both parts of the sum count."""
    generator = torch.Generator(device=device).manual_seed(case.rank)

    def normal(*size: int) -> torch.Tensor:
        return torch.randn(size, generator=generator, device=device).bfloat16()

    scale = case.width**-0.5
    x, dy = normal(case.tokens, case.width), normal(case.tokens, case.width)
    a, b = normal(case.rank, case.width) * scale, normal(case.width, case.rank)
    return Inputs(x, normal(case.width, case.width) * scale, a.requires_grad_(), b.requires_grad_(), dy)


def _first(tensor: torch.Tensor) -> torch.Tensor:
    return tensor[:_CHECKED_ROWS]


def _checker(exact: Outputs, rounded: Outputs) -> Callable[[Outputs], Check]:
    """Each output against float64, allowed twice the error that torch leaves in the same precision; the first that is
    worse is what is returned, or the output's own."""
    allowed = [
        _ALLOWED_FACTOR * check_against(theirs, right, 0.0).rms_error
        for theirs, right in zip(rounded, exact, strict=True)
    ]

    def check(outputs: Outputs) -> Check:
        checks = [
            check_against(_like(tensor, right), right, limit)
            for tensor, right, limit in zip(outputs, exact, allowed, strict=True)
        ]
        return next((each for each in checks if not each.passed), checks[0])

    return check


def _like(tensor: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
    """The rows of an output that `exact` covers."""
    return tensor.detach()[: exact.shape[0]]


def forward_rivals(case: Case, given: Inputs, *, compiled: bool) -> list[Rival]:
    x, weight, a, b = given.x, given.weight, given.a.detach(), given.b.detach()
    exact = reference_lora_linear(_first(x), weight, a, b, scaling=_SCALING)
    check = _checker((exact,), (_first(lora_linear(x, weight, a, b, scaling=_SCALING, impl=Impl.TORCH)),))
    base = _first(x).double() @ weight.double().T
    check_base = _checker((base,), (_first(x) @ weight.T,))

    def by(impl: Impl, down: Down | None = None) -> Run:
        return lambda: (lora_linear(x, weight, a, b, scaling=_SCALING, impl=impl, down=down),)

    rivals = [Rival(FUSED, by(Impl.TRITON), check)]
    rivals += [Rival(f"triton, {down.value}", by(Impl.TRITON, down), check) for down in Down]
    rivals.append(_peft(lambda layer: (layer(x),), given, check, grad=False))
    if compiled:
        steps = torch.compile(_steps)
        rivals.append(Rival(COMPILED, lambda: (steps(x, weight, a, b),), check))
    rivals.append(Rival("torch, addmm", by(Impl.TORCH), check))
    rivals.append(Rival("triton-unfused", by(Impl.TRITON_UNFUSED), check))
    rivals.append(Rival(BASE, lambda: (x @ weight.T,), check_base))
    return rivals


def training_rivals(case: Case, given: Inputs, *, compiled: bool) -> list[Rival]:
    """(y, dx, dA, dB): the rows of the first two are checked, the last two whole."""
    tensors = (given.x, given.weight, given.a.detach(), given.b.detach())
    dx, da, db = _float64_gradients(given)
    exact = (reference_lora_linear(_first(given.x), *tensors[1:], scaling=_SCALING), dx, da, db)
    x = given.x.clone().requires_grad_()

    def trained(product: Callable[..., torch.Tensor]) -> Outputs:
        y = product(x, given.weight, given.a, given.b)
        return (y.detach(), *torch.autograd.grad(y, (x, given.a, given.b), given.dy))

    def by(impl: Impl) -> Run:
        return lambda: trained(lambda *four: lora_linear(*four, scaling=_SCALING, impl=impl))

    theirs = by(Impl.TORCH)()
    check = _checker(exact, (_first(theirs[0]), _first(theirs[1]), *theirs[2:]))

    def in_peft(layer: Any) -> Outputs:
        y = layer(x)
        adapters = (layer.lora_A.default.weight, layer.lora_B.default.weight)
        return (y.detach(), *torch.autograd.grad(y, (x, *adapters), given.dy))

    rivals = [Rival(FUSED, by(Impl.TRITON), check), _peft(in_peft, given, check, grad=True)]
    if compiled:
        steps = torch.compile(_steps)
        rivals.append(Rival(COMPILED, lambda: trained(steps), check))
    rivals.append(Rival("torch, addmm", by(Impl.TORCH), check))
    return rivals


def nf4_rivals(case: Case, given: Inputs, *, compiled: bool) -> list[Rival]:
    x, a, b = given.x, given.a.detach(), given.b.detach()
    impl = quantization.Impl.TRITON if x.is_cuda else quantization.Impl.TORCH
    quantized: Quantized = quantization.quantize(given.weight, nested_block=256, impl=impl)
    exact = reference_lora_linear(_first(x), quantized, a, b, scaling=_SCALING)
    check = _checker((exact,), (_first(lora_linear_nf4(x, quantized, a, b, scaling=_SCALING, impl=Impl.TORCH)),))

    def by(impl: Impl, down: Down | None = None) -> Run:
        return lambda: (lora_linear_nf4(x, quantized, a, b, scaling=_SCALING, impl=impl, down=down),)

    def restored_first() -> Outputs:
        return (lora_linear(x, quantization.dequantize(quantized), a, b, scaling=_SCALING),)

    return [
        Rival(FUSED, by(Impl.TRITON), check),
        Rival("triton, restored first", restored_first, check),
        Rival(PEFT, by(Impl.PEFT), check),
    ]


def _steps(x: torch.Tensor, weight: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """What peft.tuners.lora.Linear.forward computes, without its branches."""
    linear = torch.nn.functional.linear
    return linear(x, weight) + linear(linear(x, a), b) * _SCALING


def _peft(run: Callable[[Any], Outputs], given: Inputs, check: Callable[[Outputs], Check], *, grad: bool) -> Rival:
    made: list[Any] = []

    def run_layer() -> Outputs:
        if not made:
            if unavailable := available(Impl.PEFT, given.x.device):
                raise unavailable
            made.append(peft_module(given.weight, given.a.detach(), given.b.detach(), _SCALING))
        with torch.set_grad_enabled(grad):
            return run(made[0])

    return Rival(PEFT, run_layer, check)


def _float64_gradients(given: Inputs) -> Outputs:
    """The first rows of dx, and dA and dB whole, from as few float64 products as that takes."""
    tensors = (given.weight, given.a, given.b)
    dx, _, _ = reference_gradients(_first(given.dy), _first(given.x), *tensors, scaling=_SCALING)
    dy, x = given.dy.double(), given.x.double()
    a, b = given.a.detach().double(), given.b.detach().double()
    return dx, _SCALING * (dy @ b).T @ x, _SCALING * dy.T @ (x @ a.T)


def time_rivals(case: Case, rivals: Sequence[Rival], device: torch.device, rounds: int) -> list[Row]:
    """One row for every rival; those that pass their check are timed in turns."""
    rows: dict[str, Row] = {}
    candidates: list[Candidate] = []
    for rival in rivals:
        try:
            check = rival.check(rival.run())
        except KernelError as error:
            rows[rival.name] = Row(case, rival.name, None, None, None, None, None, str(error))
            continue
        if check.passed:
            candidates.append(Candidate(rival.name, rival.run, check))
        else:
            reason = "failed its check against float64"
            rows[rival.name] = Row(case, rival.name, None, None, None, None, check.rms_error, reason)
    timings = time_candidates(candidates, device, rounds=rounds).values()
    for candidate, timing in zip(candidates, timings, strict=True):
        assert candidate.verified is not None
        rows[candidate.name] = Row(
            case, candidate.name, timing.median_ms, timing.spread_ms,
            case.flops / (timing.median_ms * 1e-3) / 1e12, timing.peak_memory_bytes, candidate.verified.rms_error,
        )  # fmt: skip
    return [rows[rival.name] for rival in rivals]


RIVALS = {"forward": forward_rivals, "training": training_rivals, "forward nf4": nf4_rivals}


def compare(case: Case, rounds: int, device: str = "cuda", *, compiled: bool = True) -> list[Row]:
    given = inputs(case, device)
    rivals = RIVALS[case.what](case, given, compiled=compiled)
    return time_rivals(case, rivals, given.x.device, rounds)


def print_table(rows: Sequence[Row]) -> None:
    """Times, and how many times as long as the fused kernel of its case each took."""
    print(
        f"{'what':<12} {'tokens':>6} {'d':>5} {'rank':>4} {'implementation':<28} {'ms':>9} {'± IQR':>8} "
        f"{'TFLOP/s':>8} {'x fused':>8}"
    )
    fused = {row.case: row.time_ms for row in rows if row.name == FUSED}
    for row in rows:
        case, ours = row.case, fused.get(row.case)
        head = f"{case.what:<12} {case.tokens:>6} {case.width:>5} {case.rank:>4} {row.name:<28}"
        if row.time_ms is None:
            print(f"{head} {'':>9} {row.reason}")
            continue
        ratio = f"{row.time_ms / ours:8.2f}" if ours else ""
        print(f"{head} {row.time_ms:9.3f} {row.spread_ms:8.3f} {row.tflops:8.1f} {ratio}")


def target_sentence(rows: Sequence[Row]) -> str | None:
    """How the fused forward stands to PEFT's at the target's shape; None where one of them has no time."""
    case = Case("forward", 8192, 4096, 16)
    times = {row.name: row.time_ms for row in rows if row.case == case}
    ours, theirs = times.get(FUSED), times.get(PEFT)
    if ours is None or theirs is None:
        return None
    met = "met" if theirs / ours >= TARGET_RATIO else "missed"
    return f"PEFT's forward takes {theirs / ours:.2f} times as long as the fused one (target {TARGET_RATIO}: {met})."


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Fused LoRA products against PEFT and cuBLAS, on this GPU.")
    parser.add_argument("--tokens", type=int, nargs="+", default=[2048, 8192])
    parser.add_argument("--widths", type=int, nargs="+", default=[4096])
    parser.add_argument("--ranks", type=int, nargs="+", default=[8, 16, 64])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--record", type=Path, metavar="FILE", help="also write the rows as JSON, with the device")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("PyTorch sees no GPU here, and LoRA's products are only timed on one.", file=sys.stderr)
        return 2
    print(" · ".join(f"{name} {value}" for name, value in environment().items()))
    rows: list[Row] = []
    for case in cases(options.tokens, options.widths, options.ranks):
        rows += compare(case, options.rounds)
    print_table(rows)
    if sentence := target_sentence(rows):
        print(sentence)
    if options.record:
        record(options.record, rows, "lora")
    return 0


if __name__ == "__main__":
    sys.exit(main())
