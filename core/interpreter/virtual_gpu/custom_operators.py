"""Operators that a library defines in Python (`torch.library`): their bodies run where the mode of the virtual GPU sees
what they do.

PyTorch runs an operator's body with the mode switched off. For its own operators that is right, they are the host's. A
body in Python allocates on "cuda" and launches kernels, as the file itself does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._library import custom_ops
from torch._library.triton import set_wrap_triton_enabled

_CUDA = torch._C.DispatchKeySet(torch._C.DispatchKey.CUDA)
_OF_TORCH = ("aten", "prim", "prims", "profiler")


def body_of(operator: Any) -> Callable[..., Any] | None:
    """What a GPU would run for an operator of a library, if that is Python: the body that was registered for CUDA, or
    the one for all devices. None for PyTorch's own operators, and for those that run on the host."""
    if operator.namespace in _OF_TORCH:
        return None
    name = operator.name()
    defined = custom_ops.OPDEFS.get(name.partition(".")[0])
    if defined is not None:
        bodies = defined._backend_fns
        found: Callable[..., Any] | None = bodies.get("cuda") or bodies.get(None)
        return found
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    if has_kernel(name, "CUDA") and not has_kernel(name, "CPU"):  # registered with Library.impl
        return lambda *args, **kwargs: operator.redispatch(_CUDA, *args, **kwargs)
    return None


@contextmanager
def launches_direct() -> Iterator[None]:
    """Inside the block, `wrap_triton(kernel)` is the kernel. The wrapper is for torch.compile, which is off."""
    with set_wrap_triton_enabled(False):
        yield
