"""Triton kernels run on CPU tensors here: traced, or in Triton's own interpreter where TRITON_INTERPRET asks for it."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import pytest

from tests.poison import poison_new_tensors

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"


@pytest.fixture
def new_emulated() -> Callable[[], AbstractContextManager[object]]:
    """Makes contexts in which launches on CPU tensors are executed and write their results."""
    if INTERPRETED:
        return nullcontext
    from core.interpreter import intercept

    return intercept


@pytest.fixture
def emulated(new_emulated: Callable[[], AbstractContextManager[object]]) -> AbstractContextManager[object]:
    return new_emulated()


@pytest.fixture(autouse=True)
def _outputs_start_as_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    poison_new_tensors(monkeypatch)
