"""Replaces Triton's GPU driver on machines without a GPU, for the two calls that files make before they launch.

Without it, `triton.runtime.driver.active.get_active_torch_device()` raises; Triton's tutorials begin with that call.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.contracts.errors import MissingRequirement
from core.contracts.text import tr


class _FakeDriver:
    """Knows the device of tensors and the compilation target. Anything else needs a GPU."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def get_active_torch_device(self) -> Any:
        import torch

        return torch.device("cpu")

    def get_current_target(self) -> Any:
        return self._target

    def __getattr__(self, name: str) -> Any:
        raise MissingRequirement(
            tr(
                "Triton's driver was asked for {name}, which needs a GPU, and there is none here: remove the call, or "
                "trace the file on a machine with a GPU.",
                name=name,
            )
        )


@contextmanager
def fake_driver(target: Any) -> Iterator[None]:
    """Inside the block, Triton's own driver if there is a GPU, else a fake driver that knows `target`."""
    from triton.runtime import driver

    try:
        _ = driver.active
    except RuntimeError:  # '0 active drivers'
        driver.set_active(_FakeDriver(target))
    else:
        yield
        return
    try:
        yield
    finally:
        driver._active = None
