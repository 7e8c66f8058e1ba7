import re

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed here")

from core.hardware.gpus import gpus
from kernels.attention import Impl, attention
from kernels.attention.tiling import choose_tiling, padded
from kernels.attention.triton.flash import flash_forward
from tests.kernels.compiled import Compiled, compile_for, launches_of
from tests.kernels.conftest import INTERPRETED

SHARED_BYTES = {gpu.target: gpu.shared_memory_per_block_bytes for gpu in gpus().values()}

pytestmark = pytest.mark.skipif(INTERPRETED, reason="interpreted kernels are not compiled")


def inputs(head_dim: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    q = torch.empty(2, 8, 4096, head_dim, dtype=dtype, device="meta")
    k = torch.empty(2, 4, 4096, head_dim, dtype=dtype, device="meta")
    return q, k, torch.empty_like(k)


def compile_impl(
    monkeypatch: pytest.MonkeyPatch, target: str, impl: Impl, head_dim: int, dtype: torch.dtype, causal: bool = True
) -> list[Compiled]:
    q, k, v = inputs(head_dim, dtype)
    launches = launches_of(monkeypatch, lambda: attention(q, k, v, impl=impl, causal=causal), target)
    return [compile_for(launch, target) for launch in launches]


@pytest.mark.parametrize(
    ("target", "head_dim", "dtype", "causal"),
    [
        ("sm_80", 64, torch.bfloat16, True),
        ("sm_80", 128, torch.bfloat16, True),
        ("sm_89", 128, torch.float16, True),
        ("sm_90", 64, torch.bfloat16, True),
        ("sm_90", 128, torch.bfloat16, True),
        ("sm_90", 128, torch.bfloat16, False),
        ("sm_90", 64, torch.float32, True),
        ("sm_100", 128, torch.bfloat16, True),
        ("gfx942", 128, torch.bfloat16, True),
        ("sm_80", 80, torch.bfloat16, True),
        ("sm_90", 256, torch.bfloat16, True),
        ("gfx942", 16, torch.bfloat16, True),
    ],
)
def test_that_flash_compiles_without_a_gpu_fits_shared_memory_and_does_not_spill(
    target: str, head_dim: int, dtype: torch.dtype, causal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (flash,) = compile_impl(monkeypatch, target, Impl.TRITON_FLASH, head_dim, dtype, causal)

    by_descriptor = target in ("sm_90", "sm_100") and dtype is not torch.float32 and head_dim == padded(head_dim)
    assert flash.name == ("flash_fwd_descriptor_kernel" if by_descriptor else "flash_fwd_kernel")
    assert 0 < flash.shared_bytes <= SHARED_BYTES[target]
    assert not flash.spilled


@pytest.mark.parametrize("target", ["sm_90", "gfx942"])
def test_that_the_three_standard_kernels_compile_without_a_gpu(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = compile_impl(monkeypatch, target, Impl.TRITON_STANDARD, 128, torch.bfloat16)

    assert [kernel.name for kernel in compiled] == ["scores_fwd_kernel", "softmax_fwd_kernel", "output_fwd_kernel"]
    assert all(kernel.shared_bytes <= SHARED_BYTES[target] for kernel in compiled)


def test_that_hopper_multiplies_in_warp_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    (flash,) = compile_impl(monkeypatch, "sm_90", Impl.TRITON_FLASH, 128, torch.bfloat16)

    assert "wgmma.mma_async" in flash.asm["ptx"]


def test_that_float32_is_not_rounded_to_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    (flash,) = compile_impl(monkeypatch, "sm_90", Impl.TRITON_FLASH, 64, torch.float32)

    assert "tf32" not in flash.asm["ptx"]


def test_that_only_the_ragged_and_diagonal_tiles_are_loaded_under_a_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    (flash,) = compile_impl(monkeypatch, "sm_89", Impl.TRITON_FLASH, 64, torch.bfloat16)

    loads = re.findall(r"tt\.load %\w+(,?)", flash.asm["ttir"])

    assert loads == [",", "", "", ",", ","]  # Q, then K and V of whole tiles, then K and V of the others


@pytest.mark.parametrize("timeline", [False, True])
def test_that_the_clock_is_read_only_when_a_timeline_is_requested(
    timeline: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    q, k, v = inputs(64, torch.bfloat16)
    tiling = choose_tiling(head_dim=64, element_bytes=2, target="sm_90")
    (launch,) = launches_of(
        monkeypatch,
        lambda: flash_forward(q, k, v, causal=True, softmax_scale=0.125, tiling=tiling, timeline=timeline),
    )

    ptx = compile_for(launch, "sm_90").asm["ptx"]

    assert ptx.count("%globaltimer") == (2 if timeline else 0)
    assert ptx.count("%smid") == (1 if timeline else 0)
