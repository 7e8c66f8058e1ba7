"""Decode against this GPU's read bandwidth and PyTorch's SDPA: python -m tests.benchmarks.bench_decode_gpu.

The yardstick is a kernel that only reads as many bytes and sums them, timed in the same rounds. Every implementation is
checked against float64 on its first sequence before it is timed. Bytes are those of the closed form, without the parts.
"""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from core.hardware.compare import allowed_rms_error
from core.hardware.timing import Candidate, Check, check_against, time_candidates
from kernels.attention.decode import DecodeImpl, decode_attention
from kernels.errors import KernelError
from kernels.launching import has_triton
from tests.benchmarks.bench_attention_gpu import environment, record

HEADS = 32
HEAD_DIM = 128
GOAL = 0.92
"""Share of the read bandwidth to reach at caches of 256 MB and more."""
READ = "read only"
_READ_BLOCK = 8192
_READ_PROGRAMS_PER_SM = 4

if has_triton():
    import triton
    import triton.language as tl

    @triton.jit
    def read_kernel(x_ptr, out_ptr, elements, BLOCK: tl.constexpr):
        """Sums the int64 words at x_ptr, a block of them at a time. Grid (programs,)."""
        total = tl.zeros([BLOCK], tl.int64)
        for start in range(tl.program_id(0) * BLOCK, elements, tl.num_programs(0) * BLOCK):
            words = tl.cast(start, tl.int64) + tl.arange(0, BLOCK)
            total += tl.load(x_ptr + words, mask=words < elements, other=0)
        tl.store(out_ptr + tl.program_id(0), tl.sum(total, 0))


@dataclass(frozen=True)
class Case:
    """`cache_bytes` of K and V together, shared by `batch` sequences of `kv_heads` of HEADS heads."""

    batch: int
    kv_heads: int
    cache_bytes: int
    page_size: int = 0
    dtype: str = "bfloat16"

    @property
    def keys(self) -> int:
        """Keys of each sequence, whole pages of 256."""
        per_key = 2 * self.batch * self.kv_heads * HEAD_DIM * getattr(torch, self.dtype).itemsize
        return max(256, self.cache_bytes // per_key // 256 * 256)

    @property
    def moved_bytes(self) -> int:
        size = getattr(torch, self.dtype).itemsize
        return size * HEAD_DIM * self.batch * (2 * self.kv_heads * self.keys + 2 * HEADS)


@dataclass(frozen=True)
class Row:
    case: Case
    impl: str
    time_ms: float | None = None
    spread_ms: float | None = None
    bandwidth_gb_s: float | None = None
    share_of_read: float | None = None
    rms_error: float | None = None
    reason: str = ""


Run = Callable[[], torch.Tensor]


def cases(cache_mb: Sequence[int]) -> Iterator[Case]:
    for batch in (1, 32):
        for kv_heads in (1, 2, 8):
            for size in cache_mb:
                yield Case(batch, kv_heads, size << 20)
    for page_size in (16, 64, 256):
        yield Case(32, 8, cache_mb[-1] << 20, page_size)


class Problem:
    def __init__(self, case: Case, device: str = "cuda") -> None:
        generator = torch.Generator(device=device).manual_seed(case.keys)
        dtype = getattr(torch, case.dtype)
        self.case = case
        self.q = torch.randn(case.batch, HEADS, 1, HEAD_DIM, generator=generator, device=device).to(dtype)
        shape = (case.batch, case.kv_heads, case.keys, HEAD_DIM)
        self.k, self.v = (torch.empty(shape, dtype=dtype, device=device).normal_(generator=generator) for _ in range(2))
        self.options: dict[str, Any] = {}
        if case.page_size:
            pages = case.batch * case.keys // case.page_size
            pool = (pages, case.page_size, case.kv_heads, HEAD_DIM)
            self.k, self.v = (cache.transpose(1, 2).reshape(pool) for cache in (self.k, self.v))
            order = torch.randperm(pages, generator=generator, device=device)
            self.options["block_table"] = order.reshape(case.batch, -1).to(torch.int32)

    def run(self, impl: DecodeImpl) -> Run:
        return lambda: decode_attention(self.q, self.k, self.v, impl=impl, **self.options).out

    def checker(self) -> Callable[[torch.Tensor], Check]:
        """On the first sequence, within the error that torch leaves in the same precision."""
        options = {name: table[:1] for name, table in self.options.items()}
        k, v = (self.k, self.v) if options else (self.k[:1], self.v[:1])
        exact, plain = (
            decode_attention(self.q[:1], k, v, impl=impl, **options).out
            for impl in (DecodeImpl.REFERENCE, DecodeImpl.TORCH_NAIVE)
        )
        return lambda out: check_against(out[:1], exact, allowed_rms_error(plain, exact))

    def reader(self) -> Run:
        """Reads K and V once each."""
        if self.q.device.type != "cuda":
            return lambda: self.k.view(torch.int64).sum() + self.v.view(torch.int64).sum()
        sms = torch.cuda.get_device_properties(self.q.device).multi_processor_count
        sums = torch.empty(_READ_PROGRAMS_PER_SM * sms, dtype=torch.int64, device=self.q.device)

        def read() -> torch.Tensor:
            for cache in (self.k, self.v):
                words = cache.view(torch.int64)
                read_kernel[(len(sums),)](words, sums, words.numel(), BLOCK=_READ_BLOCK, num_warps=8)
            return sums

        return read


def compare(case: Case, rounds: int, device: str = "cuda") -> list[Row]:
    """One row per implementation; those that pass their check are timed in turns, with the reader."""
    problem = Problem(case, device)
    check_of = problem.checker()
    rows: dict[str, Row] = {}
    candidates = [Candidate(READ, problem.reader(), Check(0.0, 0.0, 0.0))]
    for impl in (DecodeImpl.TRITON, DecodeImpl.SDPA, DecodeImpl.FLEX):
        run = problem.run(impl)
        try:
            check = check_of(run())
        except KernelError as error:
            rows[impl.value] = Row(case, impl.value, reason=str(error))
            continue
        if check.passed:
            candidates.append(Candidate(impl.value, run, check))
        else:
            rows[impl.value] = Row(
                case, impl.value, rms_error=check.rms_error, reason="failed its check against float64"
            )
    timings = time_candidates(candidates, torch.device(device), rounds=rounds)
    read_ms = timings[READ].median_ms
    for candidate in candidates:
        timing = timings[candidate.name]
        assert candidate.verified is not None
        rows[candidate.name] = Row(
            case, candidate.name, timing.median_ms, timing.spread_ms,
            case.moved_bytes / (timing.median_ms * 1e-3) / 1e9, read_ms / timing.median_ms,
            candidate.verified.rms_error,
        )  # fmt: skip
    return [rows[name] for name in (READ, *(impl.value for impl in DecodeImpl)) if name in rows]


def print_table(rows: Sequence[Row]) -> None:
    print(
        f"{'batch':>5} {'KV heads':>8} {'cache MB':>8} {'page':>5} {'implementation':<16} {'ms':>9} {'± IQR':>8} "
        f"{'GB/s':>8} {'of read':>8}"
    )
    for row in rows:
        case = row.case
        head = (
            f"{case.batch:>5} {case.kv_heads:>8} {case.cache_bytes >> 20:>8} {case.page_size or '':>5} {row.impl:<16}"
        )
        if row.time_ms is None:
            print(f"{head} {'':>9} {row.reason}")
            continue
        missed = row.impl == DecodeImpl.TRITON.value and (row.share_of_read or 0) < GOAL
        print(
            f"{head} {row.time_ms:9.3f} {row.spread_ms:8.3f} {row.bandwidth_gb_s:8.0f} {row.share_of_read:8.1%}"
            f"{'  below the goal' if missed else ''}"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Decode against the read bandwidth and SDPA, on this GPU.")
    parser.add_argument("--cache-mb", type=int, nargs="+", default=[256, 1024], help="K and V together")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--record", type=Path, metavar="FILE", help="also write the rows as JSON, with the device")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("PyTorch sees no GPU here, and decode is only timed on one.", file=sys.stderr)
        return 2
    print(" · ".join(f"{name} {value}" for name, value in environment().items()))
    rows: list[Row] = []
    for case in cases(options.cache_mb):
        rows += compare(case, options.rounds)
        torch.cuda.empty_cache()
    print_table(rows)
    if options.record:
        record(options.record, rows, "decode")  # type: ignore[arg-type]
    return 0


if __name__ == "__main__":
    sys.exit(main())
