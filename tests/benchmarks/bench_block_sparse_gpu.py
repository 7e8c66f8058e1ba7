"""Block-sparse attention against FlexAttention on this GPU: python -m tests.benchmarks.bench_block_sparse_gpu.

FlexAttention is compiled, with its block mask made beforehand, as ours is; SDPA takes the dense bool mask. Every
implementation is checked against float64 on two of its heads before it is timed; what fails its check, or cannot run
here, is named with the reason and gets no time. FLOPs are those of the two products on the cells that the mask shows.
`--record FILE` writes the rows as JSON, with the device.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from core.hardware.timing import Check
from kernels.attention import BlockMask, MaskDescription, SparseImpl, TermKind, block_mask, sparse_attention, term
from kernels.attention.tiling import choose_tiling
from kernels.launching import device_target
from tests.benchmarks.bench_attention_gpu import (
    Qkv,
    Row,
    Run,
    checker,
    environment,
    few_heads,
    record,
    shape_of,
    time_case,
)

IMPLS = (SparseImpl.BLOCK_SPARSE, SparseImpl.FLEX, SparseImpl.SDPA_BOOL_MASK)
MASKS = ("causal", "window", "documents")
WINDOW = 1024
DOCUMENT = 1000
"""Tokens of the longest packed document; every next one is a seventh shorter, so that no edge meets a tile's."""


@dataclass(frozen=True)
class Case:
    mask: str
    seq_len: int
    head_dim: int
    dtype: str
    visible_cells: int

    @property
    def flops(self) -> float:
        batch, heads, _, head_dim = shape_of(self.seq_len, self.head_dim)
        return 4.0 * batch * heads * self.visible_cells * head_dim


def description(mask: str, seq_len: int) -> MaskDescription:
    """Causal by itself, in a sliding window, or within packed documents."""
    causal = term(TermKind.CAUSAL)
    if mask == "causal":
        return causal
    if mask == "window":
        return causal & term(TermKind.WINDOW, WINDOW)
    lengths, length = [], float(DOCUMENT)
    while sum(lengths) < seq_len:
        lengths.append(round(length))
        length = length * 6 / 7 if length > DOCUMENT / 4 else float(DOCUMENT)
    ids = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))[None, :seq_len].to(torch.int32)
    return causal & term(TermKind.SAME_IDS, q_ids=ids, kv_ids=ids)


def blocks_of(mask: str, seq_len: int, head_dim: int, dtype: torch.dtype, device: str) -> BlockMask:
    tiling = choose_tiling(
        head_dim=head_dim, element_bytes=dtype.itemsize, target=device_target(torch.device(device)), sparse=True
    )
    return block_mask(
        description(mask, seq_len),
        batch=shape_of(seq_len, head_dim)[0],
        query_len=seq_len,
        key_len=seq_len,
        block_q=tiling.block_q,
        block_kv=tiling.block_kv,
        device=device,
    )


def compare(mask: str, seq_len: int, head_dim: int, dtype_name: str, rounds: int, device: str = "cuda") -> list[Row]:
    """One row for every implementation."""
    dtype = getattr(torch, dtype_name)
    blocks = blocks_of(mask, seq_len, head_dim, dtype, device)
    case = Case(mask, seq_len, head_dim, dtype_name, int(blocks.dense.sum()))
    generator = torch.Generator(device=device).manual_seed(seq_len)
    q, k, v = (
        torch.randn(shape_of(seq_len, head_dim), generator=generator, device=device, dtype=dtype) for _ in range(3)
    )
    runs: dict[str, Run] = {
        impl.value: lambda impl=impl: sparse_attention(q, k, v, impl=impl, mask=blocks).out  # type: ignore[misc]
        for impl in IMPLS
    }
    return time_case(case, runs, (q, k, v), rounds, masked_checker(blocks.description, (q, k, v)))


def masked_checker(mask: MaskDescription, qkv: Qkv) -> Callable[[torch.Tensor], Check]:
    few = few_heads(qkv)
    exact, naive = (
        sparse_attention(*few, impl=impl, mask=mask).out for impl in (SparseImpl.REFERENCE, SparseImpl.TORCH_NAIVE)
    )
    return checker(exact, naive)


def print_table(rows: Sequence[Row]) -> None:
    """Beside each time, how many times the block-sparse kernel's it is."""
    print(f"{'mask':<10} {'N':>6} {'D':>4} {'implementation':<15} {'ms':>9} {'± IQR':>8} {'TFLOP/s':>8} {'x ours':>7}")
    ours = {row.case.mask: row.time_ms for row in rows if row.impl == SparseImpl.BLOCK_SPARSE.value}
    for row in rows:
        head = f"{row.case.mask:<10} {row.case.seq_len:>6} {row.case.head_dim:>4} {row.impl:<15}"
        if row.time_ms is None:
            print(f"{head} {'':>9} {row.reason}")
            continue
        ratio = f"{row.time_ms / time_ms:7.2f}" if (time_ms := ours.get(row.case.mask)) else ""
        print(f"{head} {row.time_ms:9.3f} {row.spread_ms:8.3f} {row.tflops:8.1f} {ratio}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Block-sparse attention against FlexAttention, on this GPU.")
    parser.add_argument("--masks", choices=MASKS, nargs="+", default=list(MASKS))
    parser.add_argument("--length", type=int, default=8192)
    parser.add_argument("--head-dim", type=int, default=128)
    parser.add_argument("--dtype", choices=["float16", "bfloat16"], default="bfloat16")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--record", type=Path, metavar="FILE", help="also write the rows as JSON, with the device")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("PyTorch sees no GPU here, and attention is only timed on one.", file=sys.stderr)
        return 2
    print(" · ".join(f"{name} {value}" for name, value in environment().items()))
    rows: list[Row] = []
    for mask in options.masks:
        rows += compare(mask, options.length, options.head_dim, options.dtype, options.rounds)
    print_table(rows)
    if options.record:
        record(options.record, rows, "block-sparse-attention-forward")
    return 0


if __name__ == "__main__":
    sys.exit(main())
