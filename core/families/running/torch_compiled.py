"""PyTorch's own steps by torch.compile, as one contender of a family."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch

from kernels.errors import Unavailable

Steps = Callable[..., torch.Tensor]


def torch_compiled(steps: Steps, device: torch.device) -> Steps:
    """The same function, compiled once per process. Raises Unavailable on a CPU, for which compiling takes half a
    minute."""
    if device.type != "cuda":
        raise Unavailable("torch.compile takes half a minute for a CPU, so it is compared on a GPU only.")
    return _compiled(steps)


@cache
def _compiled(steps: Steps) -> Steps:
    compiled: Steps = torch.compile(steps)
    return compiled
