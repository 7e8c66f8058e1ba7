"""4-bit weights against a copy, bitsandbytes and cuBLAS, on a GPU: python -m tests.benchmarks.bench_quantization_gpu.

Every candidate is checked against float64 before it is timed. A candidate that fails its check, or cannot run here, is
listed with the reason and without a time. Bytes are the least that must move: codes, scales, inputs and outputs, once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from core.hardware.timing import Candidate, Check, check_against, time_candidates
from kernels.errors import KernelError
from kernels.quantization.api import AffineScales, Impl, MatmulPath, Quantized, available, dequantize, matmul, quantize
from kernels.quantization.formats import FORMATS, FormatId
from kernels.quantization.impl import BITSANDBYTES_TYPES
from kernels.quantization.reference import reference_dequantize
from tests.benchmarks.bench_attention_gpu import environment, record

WIDTH = 8192
"""Columns of every weight."""
_CHECKED_ROWS = 256
_ALLOWED_FACTOR = 2.0

Run = Callable[[], torch.Tensor]


@dataclass(frozen=True)
class Case:
    """`what`: "dequantize", or "matmul" with `x_rows` rows of x. Weights [weight_rows, width]."""

    what: str
    format: str
    weight_rows: int
    width: int
    x_rows: int = 0
    block_size: int = 64
    nested_block: int = 0

    @property
    def weights(self) -> int:
        return self.weight_rows * self.width

    def moved_bytes(self, weight_bytes: int) -> int:
        """Of weights that take `weight_bytes`, and of bfloat16 inputs and outputs."""
        if self.what == "dequantize":
            return weight_bytes + 2 * self.weights
        return weight_bytes + 2 * self.x_rows * (self.width + self.weight_rows)


@dataclass(frozen=True)
class Row:
    case: Case
    name: str
    time_ms: float | None
    spread_ms: float | None
    bandwidth_gb_s: float | None
    rms_error: float | None
    reason: str = ""


@dataclass(frozen=True)
class Rival:
    """Something to time: `moved_bytes` is what it has to move at least, `check` is given its output."""

    name: str
    run: Run
    moved_bytes: int
    check: Callable[[torch.Tensor], Check]


def cases(weights: int, x_rows: Sequence[int]) -> list[Case]:
    """Dequantize in every format, and NF4 with nested scales; then products with NF4 weights. All have `weights`."""
    rows = weights // WIDTH
    listed = [Case("dequantize", name, rows, WIDTH) for name in FormatId]
    listed.append(Case("dequantize", FormatId.NF4, rows, WIDTH, nested_block=256))
    for nested_block in (0, 256):
        listed += [Case("matmul", FormatId.NF4, rows, WIDTH, count, nested_block=nested_block) for count in x_rows]
    return listed


def quantized_weights(case: Case, device: str) -> Quantized:
    generator = torch.Generator(device=device).manual_seed(case.weight_rows)
    weight = torch.randn(case.weight_rows, case.width, generator=generator, device=device, dtype=torch.bfloat16)
    return quantize(
        weight,
        format=FormatId(case.format),
        block_size=case.block_size,
        nested_block=case.nested_block,
        impl=Impl.TRITON if weight.is_cuda else Impl.TORCH,
    )


def checked_part(quantized: Quantized) -> torch.Tensor:
    """The first rows of the weights in float64: what is held by them alone, restored."""
    rows = min(_CHECKED_ROWS, quantized.shape[0])
    blocks = rows * quantized.shape[1] // quantized.block_size
    codes = quantized.codes[: rows * quantized.shape[1] * quantized.bits // 8]
    part = replace(
        quantized,
        codes=codes,
        shape=(rows, quantized.shape[1]),
        absmax=None if quantized.absmax is None else quantized.absmax[:blocks],
        nested=quantized.nested and replace(quantized.nested, codes=quantized.nested.codes[:blocks]),
        affine=quantized.affine and AffineScales(quantized.affine.minimum[:blocks], quantized.affine.step[:blocks]),
    )
    return reference_dequantize(part)


def dequantize_rivals(case: Case, quantized: Quantized) -> list[Rival]:
    exact = checked_part(quantized)
    # One rounding to bfloat16 of values that are known.
    check = _checker(exact, exact.bfloat16())
    moved = case.moved_bytes(quantized.nbytes)
    source = torch.empty(moved // 2, dtype=torch.uint8, device=quantized.device).zero_()
    target = torch.empty_like(source)
    rivals = [
        Rival("triton", lambda: dequantize(quantized), moved, check),
        # It reads and writes half of the bytes each: as many in all.
        Rival("copy of as many bytes", lambda: target.copy_(source), 2 * source.numel(), _same_as(source)),
    ]
    if case.format in BITSANDBYTES_TYPES:
        rivals.append(Rival("bitsandbytes", lambda: dequantize(quantized, impl=Impl.BITSANDBYTES), moved, check))
    return rivals


def matmul_rivals(case: Case, quantized: Quantized) -> list[Rival]:
    generator = torch.Generator(device=quantized.device).manual_seed(1)
    x = torch.randn(case.x_rows, case.width, generator=generator, device=quantized.device).bfloat16()
    restored = dequantize(quantized, impl=Impl.TRITON if x.is_cuda else Impl.TORCH)
    exact_weights = checked_part(quantized)
    exact = x.double() @ exact_weights.T
    # What cuBLAS itself leaves on the same restored weights.
    check = _checker(exact, (x @ restored.T)[:, : exact.shape[1]])
    moved, in_bfloat16 = case.moved_bytes(quantized.nbytes), case.moved_bytes(2 * case.weights)

    def by(path: MatmulPath) -> Run:
        return lambda: matmul(x, quantized, path=path)

    paths = [MatmulPath.FUSED, MatmulPath.DEQUANTIZE] + [MatmulPath.GEMV] * (case.x_rows == 1)
    rivals = [Rival("triton, as chosen", lambda: matmul(x, quantized), moved, check)]
    rivals += [Rival(f"triton, {path}", by(path), moved, check) for path in paths]
    rivals.append(Rival("bfloat16 weights", lambda: x @ restored.T, in_bfloat16, check))
    rivals.append(Rival("bitsandbytes", lambda: matmul(x, quantized, impl=Impl.BITSANDBYTES), moved, check))
    return rivals


def _checker(exact: torch.Tensor, rounded: torch.Tensor) -> Callable[[torch.Tensor], Check]:
    """Allows twice the error that bfloat16 leaves, on the part that `exact` covers: the first rows, or columns."""
    allowed = _ALLOWED_FACTOR * check_against(rounded, exact, 0.0).rms_error
    return lambda out: check_against(out[: exact.shape[0], : exact.shape[1]], exact, allowed)


def _same_as(source: torch.Tensor) -> Callable[[torch.Tensor], Check]:
    return lambda out: Check(0.0, float((out != source).sum()), 0.0)


def time_rivals(case: Case, rivals: Sequence[Rival], device: torch.device, rounds: int) -> list[Row]:
    """One row for every rival; those that pass their check are timed in turns."""
    rows: dict[str, Row] = {}
    candidates: list[Candidate] = []
    for rival in rivals:
        try:
            check = rival.check(rival.run())
        except KernelError as error:
            rows[rival.name] = Row(case, rival.name, None, None, None, None, str(error))
            continue
        if check.passed:
            candidates.append(Candidate(rival.name, rival.run, check))
        else:
            rows[rival.name] = Row(
                case, rival.name, None, None, None, check.rms_error, "failed its check against float64"
            )
    moved = {rival.name: rival.moved_bytes for rival in rivals}
    timings = time_candidates(candidates, device, rounds=rounds).values()
    for candidate, timing in zip(candidates, timings, strict=True):
        assert candidate.verified is not None
        rows[candidate.name] = Row(
            case, candidate.name, timing.median_ms, timing.spread_ms,
            moved[candidate.name] / (timing.median_ms * 1e-3) / 1e9, candidate.verified.rms_error,
        )  # fmt: skip
    return [rows[rival.name] for rival in rivals]


def compare(case: Case, rounds: int, device: str = "cuda") -> list[Row]:
    quantized = quantized_weights(case, device)
    rivals = dequantize_rivals(case, quantized) if case.what == "dequantize" else matmul_rivals(case, quantized)
    return time_rivals(case, rivals, quantized.device, rounds)


def print_table(rows: Sequence[Row]) -> None:
    """Times, and how many times as long as the first of its case each took."""
    print(
        f"{'what':<10} {'format':<12} {'weights':>8} {'M':>5} {'nested':>6} {'implementation':<22} {'ms':>9} "
        f"{'± IQR':>8} {'GB/s':>8} {'x first':>8}"
    )
    first: dict[Case, float | None] = {}
    for row in rows:
        ours = first.setdefault(row.case, row.time_ms)
        case = row.case
        head = (
            f"{case.what:<10} {FORMATS[FormatId(case.format)].label:<12} {case.weights / 1e6:>7.1f}M "
            f"{case.x_rows or '':>5} {case.nested_block or '':>6} {row.name:<22}"
        )
        if row.time_ms is None:
            print(f"{head} {'':>9} {row.reason}")
            continue
        ratio = f"{row.time_ms / ours:8.2f}" if ours else ""
        print(f"{head} {row.time_ms:9.3f} {row.spread_ms:8.3f} {row.bandwidth_gb_s:8.0f} {ratio}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="4-bit weights against a copy, bitsandbytes and cuBLAS, on this GPU.")
    parser.add_argument("--weights", type=int, default=128 << 20, help=f"a multiple of {WIDTH}")
    parser.add_argument("--x-rows", type=int, nargs="+", default=[1, 2, 16, 64, 128, 512, 2048])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--record", type=Path, metavar="FILE", help="also write the rows as JSON, with the device")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("PyTorch sees no GPU here, and quantization is only timed on one.", file=sys.stderr)
        return 2
    print(" · ".join(f"{name} {value}" for name, value in environment().items()))
    if unavailable := available(Impl.BITSANDBYTES, "cuda"):
        print(unavailable)
    rows: list[Row] = []
    for case in cases(options.weights, options.x_rows):
        rows += compare(case, options.rounds)
    print_table(rows)
    if options.record:
        record(options.record, rows, "quantization")
    return 0


if __name__ == "__main__":
    sys.exit(main())
