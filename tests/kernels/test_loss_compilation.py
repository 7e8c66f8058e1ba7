"""The launches of the losses at a vocabulary of 32,000, compiled for GPUs that are not there."""

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed here")

from core.hardware.gpus import gpus
from kernels.loss.api import (
    Backward,
    LossOptions,
    cross_entropy,
    cross_entropy_with_gradient,
    linear_cross_entropy,
)
from tests.kernels.compiled import Compiled, Launch, accesses, compile_for, launches_of
from tests.kernels.conftest import INTERPRETED

SHARED_BYTES = {gpu.target: gpu.shared_memory_per_block_bytes for gpu in gpus().values()}
TARGETS = ("sm_80", "sm_90", "sm_100", "gfx942")
MATRIX_INSTRUCTIONS = {"sm_80": "mma.sync", "sm_90": "wgmma.mma_async", "sm_100": "tcgen05.mma", "gfx942": "mfma"}
FULL = LossOptions(label_smoothing=0.1, z_loss=1e-4, softcap=30.0)
PLAIN = LossOptions()

pytestmark = pytest.mark.skipif(INTERPRETED, reason="interpreted kernels are not compiled")


def on_meta(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def linear_launches(
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    width: int,
    *,
    options: LossOptions = FULL,
    dtype: torch.dtype = torch.bfloat16,
    tokens: int = 8192,
    vocabulary: int = 32000,
) -> list[Launch]:
    """Of the loss and its backward pass, tiled as on `target`, one per kernel and set of constants. None runs."""
    sizes = ((tokens, width), (vocabulary, width), (vocabulary,))
    hidden, weight, bias = (on_meta(*size, dtype=dtype).requires_grad_() for size in sizes)
    labels = on_meta(tokens, dtype=torch.int64)

    def forward_and_backward() -> None:
        full = options == FULL
        linear_cross_entropy(hidden, weight, labels, bias=bias if full else None, options=options).backward()

    different = {}
    for launch in launches_of(monkeypatch, forward_and_backward, target):
        constants = {name: value for name, value in launch.arguments.items() if name.isupper()}
        different[launch.function.__name__, str(constants)] = launch
    return list(different.values())


def assert_fits(kernel: Compiled, target: str) -> None:
    assert kernel.shared_bytes <= SHARED_BYTES[target], kernel.name
    assert not kernel.spilled, kernel.name


@pytest.mark.parametrize("backward", Backward)
@pytest.mark.parametrize("target", TARGETS)
def test_that_the_linear_loss_compiles_fits_does_not_spill_and_uses_matrix_instructions(
    target: str, backward: Backward, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that an option or a bias adds. ON_CHIP at its greatest width."""
    width = 256 if backward is Backward.ON_CHIP else 4096

    compiled = [compile_for(launch, target) for launch in linear_launches(monkeypatch, target, width)]

    names = {
        Backward.ON_CHIP: ["hidden_parts_kernel", "merge_hidden_kernel", "weight_gradient_kernel"],
        Backward.CHUNKED: ["chunk_gradient_kernel", "chunk_weight_kernel", *2 * ["chunk_hidden_kernel"]],
    }[backward]
    assert [kernel.name for kernel in compiled] == ["linear_loss_kernel", "merge_losses_kernel", *names]
    for kernel in compiled:
        assert_fits(kernel, target)
        if not kernel.name.startswith("merge"):
            assert MATRIX_INSTRUCTIONS[target] in kernel.asm["amdgcn" if target == "gfx942" else "ptx"], kernel.name


@pytest.mark.parametrize(("target", "width"), [("sm_80", 576), ("sm_90", 1008), ("sm_100", 64), ("gfx942", 128)])
def test_that_ragged_sizes_and_the_plain_loss_fit_and_do_not_spill(
    target: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for launch in linear_launches(monkeypatch, target, width, options=PLAIN, tokens=8191, vocabulary=50257):
        assert_fits(compile_for(launch, target), target)


@pytest.mark.parametrize(("target", "width"), [("sm_80", 64), ("sm_90", 4096), ("sm_100", 4096)])
def test_that_float32_fits_and_is_not_rounded_to_tf32(target: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Triton 3.7 gives some tiles to Blackwell's tensor cores as TF32 even where IEEE products are asked for."""
    for launch in linear_launches(monkeypatch, target, width, dtype=torch.float32):
        kernel = compile_for(launch, target)
        assert_fits(kernel, target)
        assert "tf32" not in kernel.asm.get("ptx", ""), kernel.name


@pytest.mark.parametrize(
    ("target", "dtype"), [("sm_80", torch.float32), *((target, torch.bfloat16) for target in TARGETS)], ids=str
)
def test_that_the_loss_of_logits_fits_does_not_spill_and_moves_128_bits_at_a_time(
    target: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, labels = on_meta(8192, 32000, dtype=dtype).requires_grad_(), on_meta(8192, dtype=torch.int64)

    def both() -> None:
        cross_entropy(logits, labels, options=FULL).backward()
        cross_entropy_with_gradient(logits, labels, options=FULL)

    compiled = [compile_for(launch, target) for launch in launches_of(monkeypatch, both, target)]

    assert [kernel.name for kernel in compiled] == ["loss_kernel", "gradient_kernel", "loss_and_gradient_kernel"]
    for kernel in compiled:
        assert_fits(kernel, target)
    if target != "gfx942":
        loss, gradient, _ = map(accesses, compiled)
        assert loss["ld", 128] >= 1
        assert gradient["ld", 128] == gradient["st", 128] >= 1
