"""Skips where there is no CUDA GPU; fills every output with NaN before a kernel may write it."""

import pytest
import torch

from tests.poison import poison_new_tensors


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="PyTorch sees no CUDA GPU"))


@pytest.fixture(autouse=True)
def _outputs_start_as_nan(monkeypatch: pytest.MonkeyPatch) -> None:
    poison_new_tensors(monkeypatch)
