"""The flash kernel that copies its tiles by descriptor: chosen, executed and compiled for GPUs that are not here."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed here")

from core.hardware.gpus import gpus
from core.interpreter import intercept
from core.trace.kernel_traffic import kernel_traffic
from kernels.attention import TENSOR_OF_ARGUMENT, AttentionOutput, Impl, attention
from kernels.attention.inputs import are_describable
from kernels.attention.tiling import Copies, choose_tiling
from kernels.attention.triton.flash_descriptors import flash_descriptor_forward
from kernels.launching import choosing_for
from tests.kernels.compiled import Compiled, compile_for, launches_of
from tests.kernels.conftest import INTERPRETED
from tests.kernels.oracle import Qkv, Shape, assert_as_exact_as_torch, random_qkv
from tests.pairwise import pairwise

SHARED_BYTES = {gpu.target: gpu.shared_memory_per_block_bytes for gpu in gpus().values()}
SHAPES = (Shape(2, 4, 2, 200, 200, 64), Shape(1, 2, 1, 63, 130, 32), Shape(1, 2, 2, 130, 63, 128))

pytestmark = pytest.mark.skipif(INTERPRETED, reason="interpreted kernels are neither traced nor compiled")


@pytest.mark.parametrize(
    ("target", "dtype", "block_q", "copies"),
    [
        ("sm_90", torch.bfloat16, None, Copies.DESCRIPTORS),
        ("sm_100", torch.float16, None, Copies.WARP_SPECIALIZED),
        ("sm_100", torch.float16, 32, Copies.DESCRIPTORS),
        ("sm_90", torch.float32, None, Copies.POINTERS),
        ("sm_80", torch.bfloat16, None, Copies.POINTERS),
        ("sm_120", torch.bfloat16, None, Copies.POINTERS),
        ("gfx942", torch.bfloat16, None, Copies.POINTERS),
        (None, torch.bfloat16, None, Copies.POINTERS),
    ],
)
def test_that_the_gpu_decides_how_tiles_are_copied(
    target: str | None, dtype: torch.dtype, block_q: int | None, copies: Copies
) -> None:
    sizes = {"head_dim": 128, "element_bytes": dtype.itemsize, "target": target, "block_q": block_q}

    assert choose_tiling(**sizes, describable=True).copies is copies
    assert choose_tiling(**sizes).copies is Copies.POINTERS


def test_that_only_rows_at_multiples_of_16_bytes_are_described() -> None:
    packed = torch.zeros(2, 50, 3, 4, 64, dtype=torch.float16)
    views = [tensor.transpose(1, 2) for tensor in packed.unbind(2)]
    storage = torch.zeros(2 * 4 * 50 * 65, dtype=torch.float16)

    assert are_describable(*views)
    assert not are_describable(storage.as_strided((2, 4, 50, 64), (13000, 3250, 65, 1)))
    assert not are_describable(storage[1:].as_strided((2, 4, 50, 64), (12800, 3200, 64, 1)))
    assert not are_describable(views[0].mT.contiguous().mT)
    assert not are_describable(torch.zeros(1, 4, 50, 64, dtype=torch.float16).expand(2, -1, -1, -1))


def traced(target: str, qkv: Qkv, *, causal: bool) -> tuple[AttentionOutput, dict[str, tuple[int, int, int]]]:
    """The outputs, and bytes read, written and unique by tensor, of the kernel that `target` gets."""
    with choosing_for(target), intercept() as tracer:
        output = attention(*qkv, impl=Impl.TRITON_FLASH, causal=causal, block_q=64, block_kv=64)
    tensors = kernel_traffic("flash", tracer.launches, TENSOR_OF_ARGUMENT).traffic
    return output, {each.tensor: (each.read_bytes, each.written_bytes, each.unique_bytes) for each in tensors}


@pairwise(target=["sm_90", "sm_100"], shape=SHAPES, dtype=[torch.float16, torch.bfloat16], causal=[False, True])
def test_that_results_and_bytes_are_those_of_the_kernel_with_pointers(
    target: str, shape: Shape, dtype: torch.dtype, causal: bool
) -> None:
    qkv = random_qkv(shape, dtype)

    by_pointer, pointer_bytes = traced("sm_80", qkv, causal=causal)
    described, described_bytes = traced(target, qkv, causal=causal)

    assert by_pointer.tiling is not None
    assert described.tiling is not None
    assert by_pointer.tiling.copies is Copies.POINTERS
    assert described.tiling.copies is (Copies.WARP_SPECIALIZED if target == "sm_100" else Copies.DESCRIPTORS)
    assert_as_exact_as_torch(described, *qkv, causal=causal)
    assert described.lse is not None
    torch.testing.assert_close(described.out, by_pointer.out)
    torch.testing.assert_close(described.lse, by_pointer.lse)
    assert set(described_bytes) == {"Q", "K", "V", "O", "LSE"}
    assert described_bytes == pointer_bytes


def compiled_flash(
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    head_dim: int,
    *,
    causal: bool = True,
    block_q: int | None = None,
    timeline: bool = False,
) -> Compiled:
    q, k = (torch.empty(2, heads, 4096, head_dim, dtype=torch.bfloat16, device="meta") for heads in (8, 4))
    tiling = choose_tiling(head_dim=head_dim, element_bytes=2, target=target, block_q=block_q, describable=True)
    (launch,) = launches_of(
        monkeypatch,
        lambda: flash_descriptor_forward(
            q, k, torch.empty_like(k), causal=causal, softmax_scale=0.1, tiling=tiling, timeline=timeline
        ),
    )
    kernel = compile_for(launch, target)
    assert 0 < kernel.shared_bytes <= SHARED_BYTES[target]
    assert not kernel.spilled
    return kernel


@pytest.mark.parametrize(("head_dim", "causal"), [(32, True), (64, True), (64, False), (128, True), (128, False)])
def test_that_hopper_copies_tiles_by_tma_and_multiplies_in_warp_groups(
    head_dim: int, causal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ptx = compiled_flash(monkeypatch, "sm_90", head_dim, causal=causal).asm["ptx"]

    assert "wgmma.mma_async" in ptx
    assert "cp.async.bulk.tensor.4d.shared" in ptx  # Q, K and V come in
    assert "cp.async.bulk.tensor.4d.global" in ptx  # O goes out
    assert "cp.async.c" not in ptx  # nothing is copied by pointer
    assert "ld.global" not in ptx


@pytest.mark.parametrize(("head_dim", "causal"), [(64, True), (128, True), (128, False)])
def test_that_blackwell_gives_copies_products_and_softmax_to_warps_of_their_own(
    head_dim: int, causal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = compiled_flash(monkeypatch, "sm_100", head_dim, causal=causal)

    assert kernel.asm["ttgir"].count("ttg.warp_specialize(") == 1
    assert "tcgen05.mma" in kernel.asm["ptx"]
    assert "cp.async.bulk.tensor.4d.shared" in kernel.asm["ptx"]
    assert "setmaxnreg" in kernel.asm["ptx"]


@pytest.mark.parametrize("target", ["sm_90", "sm_100"])
@pytest.mark.parametrize("block_q", [16, 64])
def test_that_requested_tiles_compile_too(target: str, block_q: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cp.async.bulk.tensor" in compiled_flash(monkeypatch, target, 128, block_q=block_q).asm["ptx"]


def test_that_the_clock_is_read_if_a_timeline_is_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    ptx = compiled_flash(monkeypatch, "sm_90", 64, timeline=True).asm["ptx"]

    assert (ptx.count("%globaltimer"), ptx.count("%smid")) == (2, 1)
