"""The launches of a forward and a backward pass at d = 4096, compiled for GPUs that are not there."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed here")

from core.hardware.gpus import gpus
from kernels.lora.api import Down, lora_linear, lora_linear_nf4, update_importance
from kernels.quantization.api import Quantized, quantize
from tests.kernels.compiled import Compiled, Launch, accesses, compile_for, launches_of
from tests.kernels.conftest import INTERPRETED

SHARED_BYTES = {gpu.target: gpu.shared_memory_per_block_bytes for gpu in gpus().values()}
NVIDIA = ("sm_80", "sm_90", "sm_100")
TARGETS = (*NVIDIA, "gfx942")
MATRIX_INSTRUCTIONS = {"sm_80": "mma.sync", "sm_90": "wgmma.mma_async", "sm_100": "tcgen05.mma", "gfx942": "mfma"}
WIDTH = 4096

pytestmark = pytest.mark.skipif(INTERPRETED, reason="interpreted kernels are not compiled")


def on_meta(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def launches(
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    *,
    nf4: bool = False,
    down: Down | None = Down.IN_LOOP,
    rank: int = 16,
    rows: int = 8192,
    dtype: torch.dtype = torch.bfloat16,
) -> list[Launch]:
    """Of a product and its backward pass, tiled as on `target`; none of them runs."""
    weight = on_meta(WIDTH, WIDTH, dtype=dtype)
    quantized: list[Quantized] = []
    launches_of(monkeypatch, lambda: quantized.append(quantize(weight, nested_block=256)))
    x, a, b = (on_meta(*shape, dtype=dtype).requires_grad_() for shape in ((rows, WIDTH), (rank, WIDTH), (WIDTH, rank)))

    def forward_and_backward() -> None:
        if nf4:
            y = lora_linear_nf4(x, quantized[0], a, b, scaling=0.5, down=down)
        else:
            y = lora_linear(x, weight, a, b, scaling=0.5, down=down)
        y.backward(on_meta(rows, WIDTH, dtype=dtype))

    return launches_of(monkeypatch, forward_and_backward, target)


def assert_fits(kernel: Compiled, target: str) -> None:
    assert kernel.shared_bytes <= SHARED_BYTES[target], kernel.name
    assert not kernel.spilled, kernel.name


@pytest.mark.parametrize("nf4", [False, True], ids=["bfloat16", "nf4"])
@pytest.mark.parametrize("target", TARGETS)
def test_that_forward_and_backward_compile_fit_do_not_spill_and_use_matrix_instructions(
    target: str, nf4: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = [compile_for(launch, target) for launch in launches(monkeypatch, target, nf4=nf4)]

    big = "fused_linear_nf4_kernel" if nf4 else "fused_linear_kernel"
    assert [kernel.name for kernel in compiled] == [big, big, "rank_gradient_kernel", "rank_gradient_kernel"]
    for kernel in compiled:
        assert_fits(kernel, target)
        assert MATRIX_INSTRUCTIONS[target] in kernel.asm["amdgcn" if target == "gfx942" else "ptx"], kernel.name


@pytest.mark.parametrize("target", TARGETS)
def test_that_nf4_with_the_down_product_before_fits_and_does_not_spill(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is chosen at this width."""
    compiled = [compile_for(launch, target) for launch in launches(monkeypatch, target, nf4=True, down=None)]

    names = ["down_kernel", "fused_linear_nf4_kernel"]
    assert [kernel.name for kernel in compiled] == [*names, *names, "rank_gradient_kernel", "rank_gradient_kernel"]
    for kernel in compiled:
        assert_fits(kernel, target)


@pytest.mark.parametrize("target", TARGETS)
def test_that_the_kernels_of_the_largest_rank_and_of_a_ragged_batch_fit_and_do_not_spill(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    launched = launches(monkeypatch, target, rank=64, rows=8191, down=Down.BEFORE)

    compiled = [compile_for(launch, target) for launch in launched]

    assert [kernel.name for kernel in compiled[:2]] == ["down_kernel", "fused_linear_kernel"]
    for kernel in compiled:
        assert_fits(kernel, target)


@pytest.mark.parametrize("nf4", [False, True], ids=["float32", "nf4"])
@pytest.mark.parametrize("target", ["sm_90", "sm_100"])
def test_that_float32_products_are_not_rounded_to_tf32(target: str, nf4: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton 3.7 gives some tiles to Blackwell's tensor cores as TF32 even where IEEE products are asked for."""
    launched = launches(monkeypatch, target, nf4=nf4, dtype=torch.float32)

    for launch in launched:
        kernel = compile_for(launch, target)
        assert_fits(kernel, target)
        assert "tf32" not in kernel.asm["ptx"], kernel.name


def test_that_the_whole_product_moves_x_and_weights_128_bits_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    forward, backward, *_ = launches(monkeypatch, "sm_90")

    for launch in (forward, backward):
        counts = accesses(compile_for(launch, "sm_90"))
        copies = {bits: count for (what, bits), count in counts.items() if what == "cp"}
        # The tile of A has only four elements a thread.
        assert copies.keys() == {64, 128}
        assert copies[128] >= 10 * copies[64]


@pytest.mark.parametrize("target", TARGETS)
def test_that_the_importance_update_compiles_and_fuses_no_product_with_a_sum(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = [on_meta(1 << 20, dtype=torch.float32) for _ in range(4)]
    (launch,) = launches_of(monkeypatch, lambda: update_importance(*tensors, beta1=0.85, beta2=0.85))

    kernel = compile_for(launch, target)

    assert not kernel.spilled
    if target != "gfx942":
        assert "fma.rn" not in kernel.asm["ptx"]
        assert accesses(kernel)[("ld", 128)] == 8  # four tensors, eight elements a thread
        assert accesses(kernel)[("st", 128)] == 4
