"""Stands in for Triton's GPU driver where there is no GPU, for the two things that files ask it before they launch.

Without it, `triton.runtime.driver.active.get_active_torch_device()`, which the tutorials of Triton begin with, raises.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.contracts.errors import MissingRequirement


class _FakeDriver:
    """Knows where tensors go and what is compiled for. Anything else is a question about a GPU that is not there."""

    def __init__(self, target: Any) -> None:
        self._target = target

    def get_active_torch_device(self) -> Any:
        import torch

        return torch.device("cpu")

    def get_current_target(self) -> Any:
        return self._target

    def __getattr__(self, name: str) -> Any:
        raise MissingRequirement(
            f"Triton's driver was asked for {name}, which needs a GPU, and none is here: let the file do without, or "
            "trace it on a machine that has one."
        )


@contextmanager
def fake_driver(target: Any) -> Iterator[None]:
    """Triton's own driver inside the block where there is a GPU; where there is none, one that knows `target`."""
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
