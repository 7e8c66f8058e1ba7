"""What a launch that fails says: a sentence where the cause is known, the error itself elsewhere."""

from __future__ import annotations

import pytest
import torch

from kernels.errors import InvalidInputs, Unavailable
from kernels.launching import launching

triton = pytest.importorskip("triton")
CPU = torch.device("cpu")


def test_that_tiles_too_large_for_the_gpu_are_refused_with_both_sizes() -> None:
    sentence = (
        r"^Tiles of 128 x 128 at head_dim 64 in float16 need more on-chip resources than the GPU has "
        r"\(shared memory: 300 of 200\): use smaller tiles\.$"
    )
    tiles = {"block_q": 128, "block_kv": 128, "head_dim": 64, "dtype": "float16"}
    with pytest.raises(InvalidInputs, match=sentence), launching(CPU, tiles=tiles):
        raise triton.OutOfResources(300, 200, "shared memory")
    with pytest.raises(triton.OutOfResources), launching(CPU):
        raise triton.OutOfResources(300, 200, "shared memory")


@pytest.mark.parametrize("error", ["0 active drivers", "Pointer argument cannot be accessed from Triton (cpu tensor?)"])
def test_that_a_launch_on_cpu_tensors_says_that_triton_needs_a_gpu(error: str) -> None:
    with pytest.raises(Unavailable, match="Triton compiles for GPUs, but the tensors are on the cpu"), launching(CPU):
        raise RuntimeError(error)
    with pytest.raises(RuntimeError, match="something else"), launching(CPU):
        raise RuntimeError("something else")
