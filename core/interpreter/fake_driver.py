"""Replaces Triton's GPU driver on machines without a GPU, for the calls that files make around their launches.

Without it, `triton.runtime.driver.active.get_active_torch_device()` raises; Triton's tutorials begin with that call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from core.contracts.text import Text
from core.hardware.gpus import Gpu, gpu
from core.interpreter.virtual_gpu.properties import REGISTERS, stands_in, target, warp_size
from core.interpreter.virtual_gpu.refusals import refused

_OF_THE_TARGET = "rtx-4090"
"""The GPU whose properties are given where none is chosen: one of the target that kernels are lowered for."""


class _FakeDriver:
    """Knows the device of tensors, the compilation target and the properties of one GPU. Anything else needs a GPU."""

    def __init__(self, known: Gpu, device: Any, notify: Callable[[Text], None]) -> None:
        from triton.backends.compiler import GPUTarget

        self._target = GPUTarget(*target(known))
        self._device = device
        self.utils = _FakeUtils(known, notify)

    def get_active_torch_device(self) -> Any:
        return self._device

    def get_device_interface(self) -> Any:
        import torch

        return torch.cuda

    def get_current_target(self) -> Any:
        return self._target

    def get_current_device(self) -> int:
        return 0

    def set_current_device(self, device: Any) -> None:
        """There is one device."""

    def get_current_stream(self, device: Any = None) -> int:
        return 0

    def get_benchmarker(self) -> Any:
        from triton import testing

        return testing.do_bench

    def get_empty_cache_for_benchmark(self) -> Any:
        import torch

        return torch.empty(0, dtype=torch.int32, device=self._device)

    def clear_cache(self, cache: Any) -> None:
        """Nothing is measured, so nothing has to be cold."""

    def __getattr__(self, name: str) -> Any:
        raise refused(f"triton.runtime.driver.active.{name}")


class _FakeUtils:
    """The properties of a GPU, as Triton's `driver.active.utils` gives them."""

    def __init__(self, known: Gpu, notify: Callable[[Text], None]) -> None:
        self._known = known
        self._notify = notify

    def get_device_properties(self, device: Any = None) -> dict[str, int]:
        known = self._known
        self._notify(stands_in(known))
        return _Properties(
            max_shared_mem=known.shared_memory_per_block_bytes,
            max_num_regs=REGISTERS,
            multiprocessor_count=known.sms,
            warpSize=warp_size(known),
            sm_clock_rate=int(known.clock_mhz * 1000),
        )

    def __getattr__(self, name: str) -> Any:
        raise refused(f"triton.runtime.driver.active.utils.{name}")


class _Properties(dict[str, int]):
    """By Triton's names; clocks in kHz."""

    def __missing__(self, name: str) -> int:
        raise refused(f"get_device_properties()[{name!r}]")


@contextmanager
def fake_driver(notify: Callable[[Text], None] = lambda text: None, known: Gpu | None = None) -> Iterator[None]:
    """Inside the block, Triton's own driver if there is a GPU, else a fake driver.

    It knows the GPU that is `known`, whose tensors are on "cuda"; without one, tensors are on the CPU, and the GPU is
    one of the target that kernels are lowered for. `notify` is told when it is asked for properties: which GPU it
    answered for.
    """
    from triton.runtime import driver

    try:
        _ = driver.active
    except RuntimeError:  # '0 active drivers'
        driver.set_active(_FakeDriver(known or gpu(_OF_THE_TARGET), _device(known), notify))
    else:
        yield
        return
    try:
        yield
    finally:
        driver._active = None


def _device(known: Gpu | None) -> Any:
    import torch

    return torch.device("cpu") if known is None else torch.device("cuda", 0)
