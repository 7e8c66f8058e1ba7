"""Flash attention against PyTorch's SDPA on this GPU: python -m tests.benchmarks.bench_attention_gpu [--record FILE].

Every implementation is checked against float64 on two of its heads before it is timed; what fails its check, or cannot
run here, is named with the reason and gets no time. FLOPs are those of the two products, halved under a causal mask.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import torch

from core.hardware.timing import Candidate, Check, check_against, time_candidates
from kernels.attention import Impl, attention
from kernels.errors import KernelError
from kernels.launching import device_target

IMPLS = (Impl.TRITON_FLASH, Impl.SDPA_FLASH, Impl.SDPA_CUDNN, Impl.SDPA_EFFICIENT)
TOKENS = 16384
WIDTH = 2048
"""Tokens and width (heads x head_dim) are kept the same for every length, as the FlashAttention papers do."""
_HEADS_CHECKED = 2
_ALLOWED_FACTOR = 2.0


def shape_of(seq_len: int, head_dim: int) -> tuple[int, int, int, int]:
    """[batch, heads, seq_len, head_dim] of TOKENS tokens and WIDTH."""
    return (max(1, TOKENS // seq_len), WIDTH // head_dim, seq_len, head_dim)


@dataclass(frozen=True)
class Case:
    seq_len: int
    head_dim: int
    causal: bool
    dtype: str

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return shape_of(self.seq_len, self.head_dim)

    @property
    def flops(self) -> float:
        batch, heads, length, head_dim = self.shape
        return 4.0 * batch * heads * length * length * head_dim / (2 if self.causal else 1)


class Problem(Protocol):
    """What is timed: a frozen dataclass that counts its FLOPs."""

    @property
    def flops(self) -> float: ...


@dataclass(frozen=True)
class Row:
    case: Any
    impl: str
    time_ms: float | None
    spread_ms: float | None
    tflops: float | None
    peak_memory_bytes: int | None
    rms_error: float | None
    reason: str = ""


Qkv = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
Run = Callable[[], torch.Tensor]


def cases(lengths: Sequence[int], head_dims: Sequence[int], dtype: str) -> Iterator[Case]:
    for head_dim in head_dims:
        for causal in (False, True):
            for seq_len in lengths:
                yield Case(seq_len, head_dim, causal, dtype)


def inputs(case: Case, device: str = "cuda") -> Qkv:
    generator = torch.Generator(device=device).manual_seed(case.seq_len)
    q, k, v = (
        torch.randn(case.shape, generator=generator, device=device, dtype=getattr(torch, case.dtype)) for _ in range(3)
    )
    return q, k, v


def time_case(
    case: Problem, runs: dict[str, Run], qkv: Qkv, rounds: int, check_of: Callable[[torch.Tensor], Check]
) -> list[Row]:
    """One row for every run; those that pass their check are timed in turns."""
    rows: dict[str, Row] = {}
    candidates: list[Candidate] = []
    for name, run in runs.items():
        try:
            check = check_of(run())
        except KernelError as error:
            rows[name] = Row(case, name, None, None, None, None, None, str(error))
            continue
        if check.passed:
            candidates.append(Candidate(name, run, check))
        else:
            rows[name] = Row(case, name, None, None, None, None, check.rms_error, "failed its check against float64")
    for candidate, timing in zip(
        candidates, time_candidates(candidates, qkv[0].device, rounds=rounds).values(), strict=True
    ):
        assert candidate.verified is not None
        rows[candidate.name] = Row(
            case, candidate.name, timing.median_ms, timing.spread_ms,
            case.flops / (timing.median_ms * 1e-3) / 1e12, timing.peak_memory_bytes, candidate.verified.rms_error,
        )  # fmt: skip
    return [rows[name] for name in runs]


def few_heads(qkv: Qkv) -> Qkv:
    """Those that are checked: a few heads of the first sequence."""
    q, k, v = (tensor[:1, :_HEADS_CHECKED] for tensor in qkv)
    return q, k, v


def checker(exact: torch.Tensor, naive: torch.Tensor) -> Callable[[torch.Tensor], Check]:
    """Allows a few times the error that torch's own arithmetic leaves in the same precision, on `few_heads`."""
    allowed = _ALLOWED_FACTOR * check_against(naive, exact, 0.0).rms_error
    return lambda out: check_against(out[:1, :_HEADS_CHECKED], exact, allowed)


def causal_checker(case: Case, qkv: Qkv) -> Callable[[torch.Tensor], Check]:
    """Against float64 on the causal problem, or the one without a mask."""
    few = few_heads(qkv)
    exact, naive = (attention(*few, impl=impl, causal=case.causal).out for impl in (Impl.REFERENCE, Impl.TORCH_NAIVE))
    return checker(exact, naive)


def compare(case: Case, rounds: int, device: str = "cuda") -> list[Row]:
    q, k, v = qkv = inputs(case, device)
    runs: dict[str, Run] = {
        impl.value: lambda impl=impl: attention(q, k, v, impl=impl, causal=case.causal).out for impl in IMPLS
    }
    return time_case(case, runs, qkv, rounds, causal_checker(case, qkv))


def print_table(rows: Sequence[Row]) -> None:
    print(
        f"{'N':>6} {'D':>4} {'causal':>6} {'implementation':<16} {'ms':>9} {'± IQR':>8} {'TFLOP/s':>8} {'x flash':>8}"
    )
    by_case: dict[Case, list[Row]] = {}
    for row in rows:
        by_case.setdefault(row.case, []).append(row)
    for case, of_case in by_case.items():
        ours = next((row.time_ms for row in of_case if row.impl == Impl.TRITON_FLASH.value), None)
        for row in of_case:
            head = f"{case.seq_len:>6} {case.head_dim:>4} {'yes' if case.causal else 'no':>6} {row.impl:<16}"
            if row.time_ms is None:
                print(f"{head} {'':>9} {row.reason}")
                continue
            ratio = f"{row.time_ms / ours:8.2f}" if ours else ""
            print(f"{head} {row.time_ms:9.3f} {row.spread_ms:8.3f} {row.tflops:8.1f} {ratio}")


def environment() -> dict[str, str]:
    return {
        "device": torch.cuda.get_device_name(),
        "target": device_target(torch.device("cuda")) or "",
        "torch": torch.__version__,
        "triton": version("triton"),
        "cuda": torch.version.cuda or torch.version.hip or "",
        "cudnn": str(torch.backends.cudnn.version()),
    }


def record(path: Path, rows: Sequence[Row], benchmark: str = "attention-forward") -> None:
    document = {"benchmark": benchmark, "environment": environment(), "rows": [asdict(row) for row in rows]}
    path.write_text(json.dumps(document, indent=1) + "\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Flash attention against PyTorch's SDPA, on this GPU.")
    parser.add_argument("--lengths", type=int, nargs="+", default=[1024, 2048, 4096, 8192, 16384])
    parser.add_argument("--head-dims", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--dtype", choices=["float16", "bfloat16"], default="bfloat16")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--record", type=Path, metavar="FILE", help="also write the rows as JSON, with the device")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("PyTorch sees no GPU here, and attention is only timed on one.", file=sys.stderr)
        return 2
    print(" · ".join(f"{name} {value}" for name, value in environment().items()))
    rows: list[Row] = []
    for case in cases(options.lengths, options.head_dims, options.dtype):
        rows += compare(case, options.rounds)
    print_table(rows)
    if options.record:
        record(options.record, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
