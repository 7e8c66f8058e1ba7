"""Launches are captured without being run, and compiled for GPUs that are not here."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed here")

from core.compiling.capture import captured_launches
from core.compiling.record import CompiledKernel
from core.compiling.resources import compiled
from core.hardware.gpus import gpu
from kernels.attention import Impl, attention
from kernels.launching import choosing_for, device_target
from tests.interpreter import traced_kernels
from tests.kernels.conftest import INTERPRETED

pytestmark = pytest.mark.skipif(INTERPRETED, reason="interpreted kernels are not compiled")


def flash_for(target: str, lengths: tuple[int, ...] = (256,)) -> tuple[CompiledKernel, ...]:
    with choosing_for(target), captured_launches() as launches:
        for length in lengths:
            q, k, v = (torch.empty(1, 2, length, 64, dtype=torch.bfloat16, device="meta") for _ in range(3))
            attention(q, k, v, impl=Impl.TRITON_FLASH, causal=True)
    assert len(launches) == len(lengths)
    return compiled(launches, target)


def test_that_the_compiler_states_registers_shared_memory_and_spills() -> None:
    (flash,) = flash_for("sm_90")

    assert (flash.function, flash.target, flash.problem.message) == (
        "flash_fwd_descriptor_kernel", "sm_90", "",
    )  # fmt: skip
    assert flash.registers is not None
    assert 32 < flash.registers <= 255
    assert flash.spilled_bytes == 0
    assert flash.shared_bytes is not None
    assert 0 < flash.shared_bytes <= gpu("h200").shared_memory_per_block_bytes
    assert flash.instructions == ("wgmma", "TMA")


def test_that_warps_that_share_out_registers_are_named() -> None:
    (flash,) = flash_for("sm_100")

    assert flash.instructions == ("tcgen05", "TMA", "setmaxnreg")


def test_that_an_amd_gpu_is_compiled_for_too() -> None:
    (flash,) = flash_for("gfx942")

    assert flash.spilled_bytes == 0
    assert flash.registers is not None
    assert flash.instructions == ("mfma",)


def test_that_the_same_specialisation_is_compiled_once_and_another_one_again() -> None:
    assert len(flash_for("sm_90", (256, 512))) == 1
    assert len(flash_for("sm_90", (256, 257))) == 2


def test_that_captured_launches_do_not_run() -> None:
    out = torch.full((16, 16), 7.0)
    with captured_launches() as launches:
        traced_kernels.dot_kernel[(1,)](torch.ones(16, 16), torch.ones(16, 16), out, SIZE=16)

    assert [launch.function.fn.__name__ for launch in launches] == ["dot_kernel"]
    assert bool((out == 7.0).all())


def test_that_a_kernel_that_does_not_compile_says_why() -> None:
    with captured_launches() as launches:
        traced_kernels.dot_kernel[(1,)](torch.ones(16, 16), torch.ones(16, 16), torch.ones(16, 16), SIZE=15)

    (refused,) = compiled(launches, "sm_90")

    assert refused.registers is None
    assert "It does not compile: " in str(refused.problem)
    assert "power of 2" in str(refused.problem)


def test_that_launchers_choose_tiles_for_the_named_gpu_only_within_the_block() -> None:
    cpu = torch.device("cpu")

    with choosing_for("sm_90"):
        assert device_target(cpu) == "sm_90"
        with choosing_for(None):
            assert device_target(cpu) is None
    assert device_target(cpu) is None
