"""The matrix product of cuBLAS and hipBLAS that Triton binds for its tutorials, computed by PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from core.interpreter.virtual_gpu.refusals import refused


class Blas:
    """In place of `CublasLt` and `HipblasLt`."""

    def __init__(self, workspace: Any) -> None:
        """The workspace is not needed."""

    def matmul(self, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> None:
        """c = a b^T with float32 accumulation; a is [m, k], b is [n, k], c is [m, n]."""
        c.copy_(a.float() @ b.float().T)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise refused(f"triton._C.libtriton.nvidia.cublas.CublasLt.{name}")


def blas_classes() -> Iterator[tuple[Any, dict[str, Any]]]:
    """The modules that have such a class, and what takes its place; none where Triton is not installed."""
    try:
        from triton._C import libtriton
    except ImportError:
        return
    for vendor, module, name in (("nvidia", "cublas", "CublasLt"), ("amd", "hipblas", "HipblasLt")):
        owner = getattr(getattr(libtriton, vendor, None), module, None)
        if owner is not None:
            yield owner, {name: Blas}
