"""Triton kernels run on CPU tensors here: traced, or in Triton's own interpreter where TRITON_INTERPRET asks for it."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"


@pytest.fixture
def new_emulated() -> Callable[[], AbstractContextManager[object]]:
    """Makes contexts in which launches on CPU tensors are executed and write their results."""
    if INTERPRETED:
        return nullcontext
    from core.tracing import intercept

    return intercept


@pytest.fixture
def emulated(new_emulated: Callable[[], AbstractContextManager[object]]) -> AbstractContextManager[object]:
    return new_emulated()


@pytest.fixture(autouse=True)
def _outputs_start_as_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kernel forgets to write shows."""

    def poisoned(make: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def make_poisoned(*args: object, **kwargs: object) -> torch.Tensor:
            tensor = make(*args, **kwargs)
            return tensor.fill_(torch.nan) if tensor.is_floating_point() else tensor

        return make_poisoned

    for name in ("empty", "empty_like"):
        monkeypatch.setattr(torch, name, poisoned(getattr(torch, name)))
