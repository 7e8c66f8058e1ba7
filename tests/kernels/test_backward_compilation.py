"""The backward kernels with the tilings chosen for GPUs that are not there."""

import re

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed here")

from core.hardware.gpus import gpus
from kernels.attention import Impl, SparseImpl, attention, block_mask, sparse_attention
from kernels.attention.tiling import choose_backward_tiling
from tests.kernels.compiled import Compiled, Launch, compile_for, launches_of
from tests.kernels.conftest import INTERPRETED
from tests.kernels.mask_cases import PRESETS

SHARED_BYTES = {gpu.target: gpu.shared_memory_per_block_bytes for gpu in gpus().values()}
MATRIX_INSTRUCTIONS = {"sm_80": "mma.sync", "sm_90": "wgmma.mma_async", "sm_100": "tcgen05.mma", "gfx942": "mfma"}
LENGTH = 4096

pytestmark = pytest.mark.skipif(INTERPRETED, reason="interpreted kernels are not compiled")


def backward_launches(
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    head_dim: int,
    dtype: torch.dtype,
    *,
    causal: bool = True,
    preset: str | None = None,
    impl: Impl = Impl.TRITON_FLASH,
) -> list[Launch]:
    """Of a forward and backward pass, the backward ones, tiled as on `target`; none of them runs."""
    q, k, v = (torch.empty(2, heads, LENGTH, head_dim, dtype=dtype, device="meta") for heads in (8, 4, 4))
    q, k, v = (tensor.requires_grad_() for tensor in (q, k, v))

    def forward_and_backward() -> None:
        if preset is None:
            out = attention(q, k, v, impl=impl, causal=causal).out
        else:
            sizes = {"batch": 2, "query_len": LENGTH, "key_len": LENGTH, "block_q": 128, "block_kv": 64}
            on_cpu = block_mask(PRESETS[preset](LENGTH, LENGTH), **sizes)
            monkeypatch.setattr("kernels.attention.sparse._fitting", lambda *_: on_cpu)
            out = sparse_attention(q, k, v, impl=SparseImpl.BLOCK_SPARSE, mask=on_cpu).out
        out.backward(torch.empty_like(out))

    forward = 3 if impl is Impl.TRITON_STANDARD else 1
    return launches_of(monkeypatch, forward_and_backward, target)[forward:]


def assert_compiles(
    launches: list[Launch], target: str, names: list[str], dtype: torch.dtype = torch.bfloat16
) -> list[Compiled]:
    compiled = [compile_for(launch, target) for launch in launches]
    assert [kernel.name for kernel in compiled] == names
    for kernel in compiled:
        assert 0 < kernel.shared_bytes <= SHARED_BYTES[target], kernel.name
        assert not kernel.spilled, kernel.name
        if dtype is not torch.float32:
            assert MATRIX_INSTRUCTIONS[target] in kernel.asm["amdgcn" if target == "gfx942" else "ptx"], kernel.name
    return compiled


@pytest.mark.parametrize(
    ("target", "head_dim", "causal"),
    [
        ("sm_80", 64, True),
        ("sm_80", 128, False),
        ("sm_90", 64, False),
        ("sm_90", 128, True),
        ("sm_90", 128, False),
        ("sm_100", 64, True),
        ("sm_100", 128, True),
        ("gfx942", 64, True),
        ("gfx942", 128, True),
        ("sm_80", 80, True),
        ("sm_90", 256, True),
    ],
)
def test_that_the_backward_kernels_fit_do_not_spill_and_use_matrix_instructions(
    target: str, head_dim: int, causal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    launches = backward_launches(monkeypatch, target, head_dim, torch.bfloat16, causal=causal)

    assert_compiles(launches, target, ["flash_bwd_dq_kernel", "flash_bwd_dkdv_kernel"])


@pytest.mark.parametrize(
    ("target", "head_dim", "preset"),
    [
        ("sm_80", 64, "documents"),
        ("sm_80", 128, "window"),
        ("sm_90", 64, "window"),
        ("sm_90", 128, "documents"),
        ("sm_90", 128, "prefix-lm"),
        ("sm_100", 64, "prefix-lm"),
        ("sm_100", 128, "documents"),
        ("gfx942", 128, "documents"),
    ],
)
def test_that_the_block_sparse_backward_kernels_fit_and_do_not_spill(
    target: str, head_dim: int, preset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    launches = backward_launches(monkeypatch, target, head_dim, torch.bfloat16, preset=preset)

    assert_compiles(launches, target, ["block_sparse_bwd_dq_kernel", "block_sparse_bwd_dkdv_kernel"])


@pytest.mark.parametrize("target", ["sm_90", "gfx942"])
def test_that_the_five_standard_kernels_compile(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    launches = backward_launches(monkeypatch, target, 128, torch.bfloat16, impl=Impl.TRITON_STANDARD)

    compiled = [compile_for(launch, target) for launch in launches]

    products = ("column_sums_kernel", "scores_fwd_kernel", "softmax_bwd_kernel", "output_fwd_kernel")
    assert [kernel.name for kernel in compiled] == [*products, "column_sums_kernel"]
    assert all(kernel.shared_bytes <= SHARED_BYTES[target] for kernel in compiled)


@pytest.mark.parametrize("target", ["sm_90", "sm_100"])
def test_that_float32_is_not_rounded_to_tf32(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    launches = backward_launches(monkeypatch, target, 64, torch.float32)
    names = ["flash_bwd_dq_kernel", "flash_bwd_dkdv_kernel"]

    for kernel in assert_compiles(launches, target, names, torch.float32):
        assert "tf32" not in kernel.asm["ptx"]


@pytest.mark.parametrize("preset", [None, "causal"])
def test_that_tiles_are_copied_ahead_of_their_use(preset: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are walked arrive in shared memory by asynchronous copies of 128 bits, listed tiles too."""
    first, second = (
        compile_for(launch, "sm_90")
        for launch in backward_launches(monkeypatch, "sm_90", 128, torch.bfloat16, preset=preset)
    )

    for kernel in (first, second):
        in_loop = kernel.asm["ttgir"].split("scf.for", 1)[1]
        copied = re.findall(r"async_copy_global_to_local.* tensor<(\d+)x128x!tt\.ptr<bf16>", in_loop)
        assert len(copied) == 2, kernel.name
        assert not re.search(r"tt\.load .*x128x!tt\.ptr", in_loop), kernel.name
        assert re.search(r"cp\.async\.cg\.shared\.global [^;]*, 0x10", kernel.asm["ptx"]), kernel.name


@pytest.mark.parametrize("preset", [None, "documents"])
def test_that_no_kernel_has_atomics(preset: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    for launch in backward_launches(monkeypatch, "sm_90", 128, torch.bfloat16, preset=preset):
        assert "atom" not in compile_for(launch, "sm_90").asm["ptx"]


def test_that_requested_tiles_are_those_of_the_first_kernel_and_exchanged_those_of_the_second() -> None:
    tiling = choose_backward_tiling(head_dim=64, element_bytes=2, target="sm_90", block_q=32, block_kv=16)

    assert (tiling.dq.block_q, tiling.dq.block_kv) == (32, 16)
    assert (tiling.dkdv.block_q, tiling.dkdv.block_kv) == (16, 32)


@pytest.mark.parametrize("head_dim", [32, 64, 128])
@pytest.mark.parametrize("element_bytes", [2, 4])
@pytest.mark.parametrize("target", [*sorted({gpu.target for gpu in gpus().values()}), "sm_75"])
def test_that_what_is_kept_and_walked_fits_in_shared_memory(target: str, element_bytes: int, head_dim: int) -> None:
    tiling = choose_backward_tiling(head_dim=head_dim, element_bytes=element_bytes, target=target)

    for part, walked in ((tiling.dq, tiling.dq.block_kv), (tiling.dkdv, tiling.dkdv.block_q)):
        assert part.num_warps in (4, 8)
        pair_bytes = 2 * walked * head_dim * element_bytes
        assert part.num_stages * pair_bytes <= SHARED_BYTES.get(target, 64 * 1024)
