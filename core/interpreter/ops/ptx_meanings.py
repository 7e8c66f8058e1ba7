"""What the instructions of PTX compute, by name: on whole tensors, one element for each thread.

Instructions with `approx` are exact here, where the hardware may be some units in the last place away.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from core.interpreter.ops import ptx_bits as bits_of
from core.interpreter.ops.elementwise import TensorFunction
from core.interpreter.ops.libdevice_rounding import fused
from core.interpreter.ops.ptx_types import FLOATS, PACKED, halves, is_integer, on_halves, width


@dataclass(frozen=True)
class Meaning:
    """The types of sources and results (pairs are optional), and the function between them.

    Floats are given as such, predicates as bool, all else as integers of 64 bits (see `ptx_types.read`).
    """

    sources: tuple[str, ...]
    results: tuple[str, ...]
    function: Callable[..., Any]


def _in_single(function: TensorFunction) -> TensorFunction:
    """Functions of 16 bits are computed in 32 and rounded once."""
    return lambda a: function(a.float()).to(a.dtype) if a.dtype.itemsize == 2 else function(a)


_FLOAT: dict[str, tuple[int, TensorFunction, str]] = {
    "abs": (1, torch.abs, "ftz"),
    "add": (2, torch.add, "rn.ftz.sat"),
    "copysign": (2, lambda a, b: torch.copysign(b, a), ""),
    "cos": (1, _in_single(torch.cos), "approx.ftz"),
    "div": (2, torch.div, "rn.approx.full.ftz"),
    "ex2": (1, _in_single(torch.exp2), "approx.ftz"),
    "fma": (3, fused, "rn.ftz.sat"),
    "lg2": (1, _in_single(torch.log2), "approx.ftz"),
    "mad": (3, fused, "rn.ftz.sat"),
    "max": (2, torch.fmax, "ftz.NaN"),
    "min": (2, torch.fmin, "ftz.NaN"),
    "mul": (2, torch.mul, "rn.ftz.sat"),
    "neg": (1, torch.neg, "ftz"),
    "rcp": (1, _in_single(torch.reciprocal), "rn.approx.ftz"),
    "rsqrt": (1, _in_single(torch.rsqrt), "approx.ftz"),
    "sin": (1, _in_single(torch.sin), "approx.ftz"),
    "sqrt": (1, _in_single(torch.sqrt), "rn.approx.ftz"),
    "sub": (2, torch.sub, "rn.ftz.sat"),
    "tanh": (1, _in_single(torch.tanh), "approx"),
}
"""How many sources, the function, and the modifiers that may be there. Rounding is to nearest even."""

_INTEGER: dict[str, tuple[int, Callable[..., Any]]] = {
    "abs": (1, torch.abs),
    "add": (2, operator.add),
    "and": (2, operator.and_),
    "div": (2, lambda a, b: torch.div(a, torch.where(b == 0, 1, b), rounding_mode="trunc")),
    "max": (2, torch.maximum),
    "min": (2, torch.minimum),
    "neg": (1, operator.neg),
    "not": (1, operator.invert),
    "or": (2, operator.or_),
    "rem": (2, lambda a, b: torch.fmod(a, torch.where(b == 0, 1, b))),
    "sub": (2, operator.sub),
    "xor": (2, operator.xor),
}
_ORDERED = ("div", "max", "min", "rem")
"""What needs the order of numbers, which unsigned ones of 64 bits have not in torch."""

_COUNTS = {"popc": bits_of.set_bits, "clz": bits_of.leading_zeros}
_COMPARE: dict[str, Callable[..., Any]] = {
    name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")
}
_UNSIGNED = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"}
_COMBINE = {"and": operator.and_, "or": operator.or_, "xor": operator.xor}


def meaning(name: str) -> Meaning | None:
    """The meaning of an instruction such as 'add.rn.f32'; None if it is not known. `mov` and `cvt` are elsewhere."""
    base, *modifiers = name.split(".")
    if not modifiers:
        return None
    *modifiers, kind = modifiers
    if base == "setp":
        return _setp(modifiers, kind)
    if base == "selp":
        known = not modifiers and (is_integer(kind) or kind in FLOATS)
        return Meaning((kind, kind, "pred"), (kind,), lambda a, b, p: torch.where(p, a, b)) if known else None
    if kind in FLOATS or kind in PACKED:
        return _float(base, modifiers, kind)
    if kind == "pred":
        arity, function = _INTEGER[base] if base in ("and", "or", "xor") else (1, torch.logical_not)
        known = not modifiers and base in ("and", "or", "xor", "not")
        return Meaning(("pred",) * arity, ("pred",), function) if known else None
    return _integer(base, modifiers, kind) if is_integer(kind) else None


def flushed(a: torch.Tensor) -> torch.Tensor:
    """ftz: what is smaller than the smallest normal number is zero, with its sign."""
    return torch.where(a.abs() < torch.finfo(a.dtype).tiny, a * 0, a)


def saturated(a: torch.Tensor) -> torch.Tensor:
    """sat: between 0 and 1, and NaN is 0."""
    return a.nan_to_num(0.0).clamp(0, 1)


def _float(base: str, modifiers: Sequence[str], kind: str) -> Meaning | None:
    arity, function, allowed = _FLOAT.get(base, (0, torch.abs, ""))
    if not arity or not set(modifiers) <= set(allowed.split(".")):
        return None
    if "NaN" in modifiers:
        function = torch.maximum if base == "max" else torch.minimum
    call = _modified(function, flush="ftz" in modifiers, saturate="sat" in modifiers)
    if kind in PACKED:
        return Meaning(("b32",) * arity, ("b32",), on_halves(call, PACKED[kind]))
    return Meaning((kind,) * arity, (kind,), call)


def _modified(function: TensorFunction, *, flush: bool, saturate: bool) -> TensorFunction:
    if not flush and not saturate:
        return function

    def call(*values: torch.Tensor) -> torch.Tensor:
        result = flushed(function(*map(flushed, values))) if flush else function(*values)
        return saturated(result) if saturate else result

    return call


def _integer(base: str, modifiers: Sequence[str], kind: str) -> Meaning | None:
    bits = width(kind)
    if base in ("mul", "mad") and len(modifiers) == 1:
        return _product(base, modifiers[0], kind)
    if base == "shf" and kind == "b32" and len(modifiers) == 2:
        direction, mode = modifiers
        if direction not in ("l", "r") or mode not in ("wrap", "clamp"):
            return None
        return Meaning(
            ("b32", "b32", "u32"), (kind,), partial(bits_of.funnel, left=direction == "l", wrap=mode == "wrap")
        )
    if modifiers:
        return None
    if base in _INTEGER and not (kind == "u64" and base in _ORDERED):
        arity, function = _INTEGER[base]
        return Meaning((kind,) * arity, (kind,), function)
    if base == "shl":
        return Meaning((kind, "u32"), (kind,), lambda a, by: bits_of.shifted_left(a, by, bits))
    if base == "shr" and kind[0] == "s":
        return Meaning((kind, "u32"), (kind,), lambda a, by: a >> by.clamp(max=bits - 1))
    if base == "shr":
        return Meaning((kind, "u32"), (kind,), lambda a, by: bits_of.shifted_right(a, by, bits))
    if base in _COUNTS:
        count = _COUNTS[base]
        return Meaning((kind,), ("u32",), lambda a: count(a, bits))
    if base == "brev":
        return Meaning((kind,), (kind,), lambda a: bits_of.reversed_bits(a, bits))
    return _on_words(base, kind) if bits == 32 else None


def _on_words(base: str, kind: str) -> Meaning | None:
    if base == "bfe" and kind in ("u32", "s32"):
        return Meaning((kind, "u32", "u32"), (kind,), partial(bits_of.field, signed=kind == "s32"))
    return {
        "bfi": Meaning(("b32", "b32", "u32", "u32"), ("b32",), bits_of.inserted),
        "fns": Meaning(("b32", "b32", "s32"), ("b32",), bits_of.nth_set),
        "lop3": Meaning(("b32",) * 4, ("b32",), bits_of.lop3),
        "prmt": Meaning(("b32",) * 3, ("b32",), bits_of.prmt),
    }.get(base if kind == "b32" else "")


def _product(base: str, part: str, kind: str) -> Meaning | None:
    """Of 64 bits only the lower half. A product of 32 bits wraps in 64, which leaves all of its bits right."""
    bits = width(kind)
    if part not in ("lo", "hi", "wide") or kind[0] == "b" or (part != "lo" and bits > 32):
        return None
    shift = bits if part == "hi" else 0
    result = f"{kind[0]}{2 * bits}" if part == "wide" else kind
    if base == "mul":
        return Meaning((kind, kind), (result,), lambda a, b: a * b >> shift)
    return Meaning((kind, kind, result), (result,), lambda a, b, c: (a * b >> shift) + c)


def _setp(modifiers: Sequence[str], kind: str) -> Meaning | None:
    """The comparison and its opposite, both combined with a third predicate if there is one."""
    name, *rest = [word for word in modifiers if word != "ftz"] or [""]
    floats = kind in FLOATS or kind in PACKED
    compare = _compare_floats(name) if floats else _COMPARE.get(_UNSIGNED.get(name, name))
    if compare is None or len(rest) > 1 or not set(rest) <= set(_COMBINE):
        return None
    flush = "ftz" in modifiers
    if flush:
        compare = _flushing(compare)
    if kind in PACKED:
        return None if rest else Meaning(("b32", "b32"), ("pred", "pred"), _on_both(compare, PACKED[kind]))
    if not floats and (flush or not is_integer(kind) or (kind == "u64" and name not in ("eq", "ne"))):
        return None
    if not rest:
        return Meaning((kind, kind), ("pred", "pred"), lambda a, b: ((found := compare(a, b)), ~found))
    combine = _COMBINE[rest[0]]

    def both(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = compare(a, b)
        return combine(found, c), combine(~found, c)

    return Meaning((kind, kind, "pred"), ("pred", "pred"), both)


def _compare_floats(name: str) -> Callable[..., Any] | None:
    """Comparisons with NaN are false, but true with a 'u' at the end."""
    if name == "nan":
        return _unordered
    if name == "num":
        return lambda a, b: ~_unordered(a, b)
    if name == "ne":
        return lambda a, b: (a != b) & ~_unordered(a, b)
    plain = _COMPARE.get(name.removesuffix("u"))
    if plain is None or not name.endswith("u"):
        return plain
    return lambda a, b: plain(a, b) | _unordered(a, b)


def _unordered(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return torch.isnan(a) | torch.isnan(b)


def _flushing(compare: Callable[..., Any]) -> Callable[..., Any]:
    return lambda a, b: compare(flushed(a), flushed(b))


def _on_both(compare: Callable[..., Any], dtype: torch.dtype) -> Callable[..., Any]:
    def call(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(compare(x, y) for x, y in zip(halves(a, dtype), halves(b, dtype), strict=True))

    return call
