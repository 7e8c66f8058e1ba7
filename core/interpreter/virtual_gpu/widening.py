"""Operations on 16 bits that CUDA sums in float32: on the virtual GPU they are computed in float32.

The CPU sums norms in 16 bits: with 1151 rows, its gradient of a layer norm's bias is wrong by 0.14 in float16, where
CUDA's is by 0.004. It multiplies matrices right, but in a plain loop: 1024 x 1024 took 3.6 s, and 0.07 s in float32.
"""

from __future__ import annotations

from typing import Any

import torch

_NORMS = {"aten::native_layer_norm", "aten::native_group_norm"}
"""Their other results, means and deviations, are in float32, as CUDA's are."""

_PRODUCTS = {"aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm", "aten::convolution"}
_BACKWARD = {*(f"{name}_backward" for name in _NORMS), "aten::convolution_backward"}
_WIDER = _NORMS | _PRODUCTS | _BACKWARD
_NARROW = (torch.float16, torch.bfloat16)


def is_wider_on_gpu(func: Any, args: tuple[Any, ...]) -> bool:
    """Whether an operation on these tensors is one of those. Forms that name their result (`mm.out`) are not."""
    return func.name() in _WIDER and args[0].dtype in _NARROW


def in_float32(func: Any, *args: Any, **kwargs: Any) -> Any:
    """The results of an operation, computed in float32, in the types that CUDA gives."""
    wide = [x.float() if isinstance(x, torch.Tensor) and x.dtype in _NARROW else x for x in args]
    results, narrow = func(*wide, **kwargs), args[0].dtype
    if isinstance(results, torch.Tensor):
        return results.to(narrow)
    if func.name() in _NORMS:
        return (results[0].to(narrow), *results[1:])
    return tuple(None if x is None else x.to(narrow) for x in results)
