"""`torch.compile` inside a trace: the function runs as it is written, operation by operation.

What is compiled for a GPU that is not there cannot run, and TorchDynamo would compile the modes that stand in for it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from core.contracts.text import Text, tr


def eager(notify: Callable[[Text], None]) -> Callable[..., Any]:
    """In place of `torch.compile`, in its forms as function and as decorator with and without options."""

    def compile(model: Any = None, **options: Any) -> Any:
        if model is None:
            return compile
        if isinstance(model, torch.nn.Module):
            _tell(notify)
            return model

        @functools.wraps(model)
        def call(*args: Any, **kwargs: Any) -> Any:
            _tell(notify)
            return model(*args, **kwargs)

        return call

    return compile


def _tell(notify: Callable[[Text], None]) -> None:
    notify(
        tr(
            "torch.compile was not applied: what it would compile ran as it is written, so kernels that it would "
            "generate are not in the trace."
        )
    )
