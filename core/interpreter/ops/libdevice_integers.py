"""libdevice: functions on integers and on bits."""

from __future__ import annotations

import numpy as np
import torch

from core.interpreter.ops.elementwise import TensorFunction


def half_away(a: torch.Tensor) -> torch.Tensor:
    """C's round: halves go away from zero."""
    whole = torch.trunc(a)
    return torch.where((a - whole).abs() >= 0.5, whole + torch.sign(a), whole)


def popcount(a: torch.Tensor) -> torch.Tensor:
    bits = torch.arange(torch.iinfo(a.dtype).bits, device=a.device)
    return ((a.unsqueeze(-1) >> bits) & 1).sum(-1)


def leading_zeros(a: torch.Tensor) -> torch.Tensor:
    bits = torch.arange(torch.iinfo(a.dtype).bits, device=a.device)
    place = torch.where(((a.unsqueeze(-1) >> bits) & 1) == 1, bits + 1, 0).amax(-1)
    return len(bits) - place


def _first_set(a: torch.Tensor) -> torch.Tensor:
    """One more than the position of the lowest set bit; 0 if no bit is set."""
    return torch.where(a == 0, 0, popcount((a & -a) - 1) + 1)


def _view(dtype: torch.dtype) -> TensorFunction:
    return lambda a: a.contiguous().view(dtype)


def unsigned(a: torch.Tensor) -> torch.Tensor:
    """32 bits, read as an unsigned number."""
    return a.long() & 0xFFFFFFFF


def _reversed(a: torch.Tensor, bits: int) -> torch.Tensor:
    result = torch.zeros_like(a)
    for place in range(bits):
        result |= ((a >> place) & 1) << (bits - 1 - place)
    return result


def _signed24(a: torch.Tensor) -> torch.Tensor:
    return ((a.long() & 0xFFFFFF) ^ 0x800000) - 0x800000


def _byte_perm(a: torch.Tensor, b: torch.Tensor, selector: torch.Tensor) -> torch.Tensor:
    """Four bytes of the eight of `a` (the lower ones) and `b`, each chosen by three bits of the selector."""
    both, result = (unsigned(b) << 32) | unsigned(a), torch.zeros_like(a, dtype=torch.int64)
    for place in range(4):
        index = (selector.long() >> (4 * place)) & 7
        result |= ((both >> (8 * index)) & 0xFF) << (8 * place)
    return result


def _high64(a: torch.Tensor, b: torch.Tensor, *, signed: bool) -> torch.Tensor:
    """The upper 64 bits of the product."""
    left, right = (x.cpu().numpy().astype(np.int64) for x in (a, b))
    wide = (x.view(np.int64 if signed else np.uint64).astype(object) for x in (left, right))
    first, second = wide
    product = np.asarray((first * second >> 64) % (1 << 64)).astype(np.uint64)
    return torch.from_numpy(product.view(np.int64)).to(a.device)


INTEGERS: dict[str, TensorFunction] = {
    "abs": torch.abs,
    "llabs": torch.abs,
    "clz": leading_zeros,
    "clzll": leading_zeros,
    "ffs": _first_set,
    "ffsll": _first_set,
    "popc": popcount,
    "popcll": popcount,
    "finitef": torch.isfinite,
    "isfinited": torch.isfinite,
    "isinff": torch.isinf,
    "isinfd": torch.isinf,
    "isnanf": torch.isnan,
    "isnand": torch.isnan,
    "signbitf": torch.signbit,
    "signbitd": torch.signbit,
    "float_as_int": _view(torch.int32),
    "float_as_uint": _view(torch.int32),
    "int_as_float": _view(torch.float32),
    "uint_as_float": _view(torch.float32),
    "double_as_longlong": _view(torch.int64),
    "longlong_as_double": _view(torch.float64),
    "llrint": torch.round,
    "llrintf": torch.round,
    "llround": half_away,
    "llroundf": half_away,
    "max": torch.maximum,
    "min": torch.minimum,
    "brev": lambda a: _reversed(a, 32),
    "brevll": lambda a: _reversed(a, 64),
    "byte_perm": _byte_perm,
    "hadd": lambda a, b: (a.long() + b.long()) >> 1,
    "mul24": lambda a, b: _signed24(a) * _signed24(b),
    "mul64hi": lambda a, b: _high64(a, b, signed=True),
    "mulhi": lambda a, b: (a.long() * b.long()) >> 32,
    "rhadd": lambda a, b: (a.long() + b.long() + 1) >> 1,
    "sad": lambda a, b, c: (a.long() - b.long()).abs() + c,
    "uhadd": lambda a, b: (unsigned(a) + unsigned(b)) >> 1,
    "umul24": lambda a, b: (a.long() & 0xFFFFFF) * (b.long() & 0xFFFFFF),
    "umul64hi": lambda a, b: _high64(a, b, signed=False),
    "umulhi": lambda a, b: _high64(unsigned(a) << 32, unsigned(b), signed=False),
    "urhadd": lambda a, b: (unsigned(a) + unsigned(b) + 1) >> 1,
    "usad": lambda a, b, c: (unsigned(a) - unsigned(b)).abs() + c,
}
"""By name without '__nv_'. Results may be wider than the type of the operation, to which they are converted."""
