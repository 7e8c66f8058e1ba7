"""Times the flash kernels over tilings on this GPU, to choose the defaults of kernels/attention/tiling.py from.

python -m tests.benchmarks.sweep_attention_tiles_gpu [--length 4096] [--passes dq dkdv]. Each tiling is checked against
float64 first. Of the backward pass one kernel is varied while the other keeps its default; both are timed together.
Inputs, sizes and checks are those of the families `attention` and `attention-training`.
"""

from __future__ import annotations

import argparse
import itertools
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from core.contracts.text import verbatim
from core.families import FAMILIES
from core.families.axes import Case
from core.families.running.attention import random_qkv
from core.families.running.attention_training import random_dout
from core.families.running.problem import DTYPES, Assessor, Outputs, build
from core.hardware.compare import Comparison, Implementation
from core.recordings.run import Outcome
from kernels.attention.tiling import BackwardTiling, Copies, Tiling, choose_backward_tiling, choose_tiling
from kernels.errors import InvalidInputs
from kernels.launching import device_target

PASSES = ("forward", "dq", "dkdv")
_SEED = 0

RunWith = Callable[[Tiling], Outputs]


def tilings(what: str, copies: Copies = Copies.POINTERS) -> Iterator[Tiling]:
    """For dkdv, what is kept is block_kv. The forward kernel is varied with pointers and with `copies`."""
    ways = (Copies.POINTERS, copies) if what == "forward" else (Copies.POINTERS,)
    for kept, walked, num_warps, num_stages in itertools.product((64, 128), (32, 64, 128), (4, 8), (2, 3, 4)):
        blocks = (walked, kept) if what == "dkdv" else (kept, walked)
        for way in dict.fromkeys(ways):
            yield Tiling(*blocks, num_warps, num_stages, way)


def label(tiling: Tiling) -> str:
    blocks = f"{tiling.block_q}x{tiling.block_kv} w{tiling.num_warps} s{tiling.num_stages}"
    return blocks if tiling.copies is Copies.POINTERS else f"{blocks} {tiling.copies}"


def sweep(
    what: str, values: Case, rounds: int, device: torch.device, chosen: Sequence[Tiling] = ()
) -> tuple[Outcome, ...]:
    """One outcome per tiling: all of `tilings`, or those chosen. `values` differ from those of the full size."""
    family = FAMILIES["attention" if what == "forward" else "attention-training"]
    case = {**family.defaults, **family.full.case, **values}
    case = family.resolve(case if what == "forward" else {**case, "passes": "backward"})
    run_with = (_forward if what == "forward" else partial(_backward, what))(case, device)
    comparison: Comparison[Outcome] = Comparison(
        tuple(
            Implementation(Outcome(label(tiling), verbatim(label(tiling))), partial(_fitting, run_with, tiling))
            for tiling in chosen or tilings(what, _copies(case, device))
        ),
        Assessor(build(family, case, _SEED, device)),
        device,
        rounds=rounds,
        flops=family.cost(case).flops,
    )
    return comparison.time(comparison.check())


def _copies(case: Case, device: torch.device) -> Copies:
    """Those that this GPU gets for the tensors of a case, which are contiguous."""
    return choose_tiling(**_sizes(case, device), describable=True).copies


def _forward(case: Case, device: torch.device) -> RunWith:
    from kernels.attention.autograd import flash

    qkv, scale = random_qkv(case, _SEED, device), int(case["head_dim"]) ** -0.5
    options = {"mask": case["mask"] == "causal", "softmax_scale": scale, "blocks": (None, None), "timeline": False}
    return lambda tiling: (flash(*qkv, tiling=tiling, **options)[0],)


def _backward(what: str, case: Case, device: torch.device) -> RunWith:
    from kernels.attention.triton.flash import flash_forward
    from kernels.attention.triton.flash_backward import flash_backward

    options = {"causal": case["mask"] == "causal", "softmax_scale": int(case["head_dim"]) ** -0.5}
    sizes = _sizes(case, device)
    default: BackwardTiling = choose_backward_tiling(**sizes)
    qkv = random_qkv(case, _SEED, device)
    dout = random_dout(qkv, _SEED)
    out, lse, _ = flash_forward(*qkv, tiling=choose_tiling(**sizes), **options)
    return lambda tiling: flash_backward(*qkv, out, lse, dout, tiling=replace(default, **{what: tiling}), **options)


def _sizes(case: Case, device: torch.device) -> dict[str, Any]:
    element_bytes = DTYPES[str(case["dtype"])].itemsize
    return {"head_dim": int(case["head_dim"]), "element_bytes": element_bytes, "target": device_target(device)}


def _fitting(run_with: RunWith, tiling: Tiling) -> Outputs:
    from triton import OutOfResources

    try:
        return run_with(tiling)
    except OutOfResources as error:
        raise InvalidInputs("needs more {name} than there is", name=str(error.name)) from error


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Times the flash kernels over tile sizes, warps and stages.")
    parser.add_argument("--length", type=int, default=4096)
    parser.add_argument("--head-dims", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--dtype", choices=["fp16", "bf16"], default="bf16")
    parser.add_argument("--passes", choices=PASSES, nargs="+", default=["forward"])
    parser.add_argument("--rounds", type=int, default=10)
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available():
        print("PyTorch sees no GPU here, and tilings are only timed on one.", file=sys.stderr)
        return 2
    for what, head_dim, mask in itertools.product(options.passes, options.head_dims, ("none", "causal")):
        values = {"seq_len": options.length, "head_dim": head_dim, "mask": mask, "dtype": options.dtype}
        print(f"{what}, N {options.length}, D {head_dim}, mask {mask}, {options.dtype}")
        outcomes = sweep(what, values, options.rounds, torch.device("cuda"))
        for outcome in sorted(outcomes, key=lambda outcome: outcome.time_ms or math.inf):
            print(f"  {outcome.label!s:<36}" + _speed(outcome))
    return 0


def _speed(outcome: Outcome) -> str:
    if outcome.tflops is not None:
        return f"{outcome.tflops:8.1f} TFLOP/s"
    return f"  {outcome.reason or 'not accurate enough'}"


if __name__ == "__main__":
    sys.exit(main())
