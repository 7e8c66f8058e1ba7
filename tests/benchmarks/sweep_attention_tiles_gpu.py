"""Times the flash kernel over tilings on this GPU, to choose the defaults of kernels/attention/tiling.py from.

python -m tests.benchmarks.sweep_attention_tiles_gpu [--length 4096]. Each tiling is checked against float64 first.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence

import torch

from kernels.attention.tiling import Tiling
from kernels.errors import InvalidInputs
from tests.benchmarks.bench_attention_gpu import Case, Qkv, Row, Run, inputs, time_case


def tilings() -> Iterator[Tiling]:
    sizes = itertools.product((64, 128), (32, 64, 128), (4, 8), (2, 3, 4))
    for block_q, block_kv, num_warps, num_stages in sizes:
        yield Tiling(block_q, block_kv, num_warps, num_stages)


def sweep(case: Case, rounds: int) -> list[Row]:
    qkv = inputs(case)
    runs: dict[str, Run] = {}
    for tiling in tilings():
        name = f"{tiling.block_q}x{tiling.block_kv} w{tiling.num_warps} s{tiling.num_stages}"
        runs[name] = lambda tiling=tiling: _flash(qkv, case, tiling)
    return time_case(case, runs, qkv, rounds)


def _flash(qkv: Qkv, case: Case, tiling: Tiling) -> torch.Tensor:
    from triton import OutOfResources

    from kernels.attention.triton.flash import flash_forward

    q, k, v = qkv
    try:
        scale = case.head_dim**-0.5
        return flash_forward(q, k, v, causal=case.causal, softmax_scale=scale, tiling=tiling)[0]
    except OutOfResources as error:
        raise InvalidInputs(f"needs more {error.name} than there is") from error


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Times the flash kernel over tile sizes, warps and stages.")
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--head-dims", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--dtype", choices=["float16", "bfloat16"], default="bfloat16")
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("PyTorch sees no GPU here, and tilings are only timed on one.", file=sys.stderr)
        return 2
    for head_dim, causal in itertools.product(options.head_dims, (False, True)):
        case = Case(options.length, head_dim, causal, options.dtype)
        rows = sweep(case, options.rounds)
        print(f"N {case.seq_len}, D {head_dim}, {'causal' if causal else 'full'}, {case.dtype}")
        for row in sorted(rows, key=lambda row: row.time_ms or float("inf")):
            print(f"  {row.impl:<18}" + (f"{row.tflops:8.1f} TFLOP/s" if row.tflops else f"  {row.reason}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
