"""Fills new tensors with NaN, so that elements that a kernel does not write are noticed."""

from collections.abc import Callable

import pytest
import torch


def poison_new_tensors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the test ends, torch.empty and torch.empty_like give NaN where the dtype has one."""

    def poisoned(make: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
        def make_poisoned(*args: object, **kwargs: object) -> torch.Tensor:
            tensor = make(*args, **kwargs)
            return tensor.fill_(torch.nan) if tensor.is_floating_point() else tensor

        return make_poisoned

    for name in ("empty", "empty_like"):
        monkeypatch.setattr(torch, name, poisoned(getattr(torch, name)))
