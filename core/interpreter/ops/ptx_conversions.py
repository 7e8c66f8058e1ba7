"""PTX's `cvt`: between integers, floats, and pairs of small floats in one register."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch

from core.interpreter.ops.elementwise import TensorFunction
from core.interpreter.ops.precision import nearest, towards_zero
from core.interpreter.ops.ptx_meanings import Meaning, flushed, saturated
from core.interpreter.ops.ptx_types import FLOATS, PACKED, halves, is_integer, joined, mask, width

_WHOLE = {"rni": torch.round, "rzi": torch.trunc, "rmi": torch.floor, "rpi": torch.ceil}
_PAIRS = {"e4m3x2": torch.float8_e4m3fn, "e5m2x2": torch.float8_e5m2}
_E2M1 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


def conversion(name: str) -> Meaning | None:
    """The meaning of 'cvt.MODIFIERS.TARGET.SOURCE'; None if it is not known."""
    base, *words = name.split(".")
    if base != "cvt" or len(words) < 2:
        return None
    *modifiers, target, source = words
    if name == "cvt.rna.tf32.f32":
        return Meaning(("b32",), ("b32",), _tf32)
    if target in PACKED or target in _PAIRS or target == "e2m1x2":
        return _pair(modifiers, target, source)
    if is_integer(target) and is_integer(source):
        return _between_integers(modifiers, target, source)
    if is_integer(target) and source in FLOATS:
        return _to_integer(modifiers, target, source)
    if target in FLOATS and is_integer(source):
        narrow = target == "bf16" and width(source) > 16
        known = list(modifiers) == ["rn"] and source != "u64" and not narrow
        return Meaning((source,), (target,), lambda a: a.to(FLOATS[target])) if known else None
    return _between_floats(modifiers, target, source) if target in FLOATS and source in FLOATS else None


def _tf32(bits: torch.Tensor) -> torch.Tensor:
    """Nearest with 10 bits of mantissa, halves away from zero."""
    return torch.where((bits & 0x7F800000) != 0x7F800000, (bits + 0x1000) & ~0x1FFF, bits)


def _between_integers(modifiers: Sequence[str], target: str, source: str) -> Meaning | None:
    if "u64" in (target, source) and modifiers:
        return None
    if not modifiers:
        return Meaning((source,), (target,), lambda a: a)
    low, high = _limits(target)
    return Meaning((source,), (target,), lambda a: a.clamp(low, high)) if list(modifiers) == ["sat"] else None


def _limits(kind: str) -> tuple[int, int]:
    bits = width(kind)
    return (-(1 << (bits - 1)), mask(bits - 1)) if kind[0] == "s" else (0, mask(bits))


def _to_integer(modifiers: Sequence[str], target: str, source: str) -> Meaning | None:
    """What is beyond the type becomes its largest or smallest number, and NaN becomes 0."""
    modes = [word for word in modifiers if word in _WHOLE]
    if len(modes) != 1 or set(modifiers) - {*modes, "sat", "ftz"} or width(target) > 32 or source == "f64":
        return None
    whole, flush = _WHOLE[modes[0]], "ftz" in modifiers
    low, high = _limits(target)

    def call(a: torch.Tensor) -> torch.Tensor:
        return (
            whole((flushed(a) if flush else a).double()).nan_to_num(0.0, torch.inf, -torch.inf).clamp(low, high).long()
        )

    return Meaning((source,), (target,), call)


def _between_floats(modifiers: Sequence[str], target: str, source: str) -> Meaning | None:
    """From f64 to 16 bits torch rounds twice, so that this is not known."""
    whole = [_WHOLE[word] for word in modifiers if word in _WHOLE]
    rounding = [word for word in modifiers if word in ("rn", "rz")]
    known = not set(modifiers) - {*_WHOLE, "rn", "rz", "ftz", "sat"} and len(whole) + len(rounding) <= 1
    if not known or (source == "f64" and width(target) == 16) or (whole and source != target):
        return None
    narrow = _narrowing(target, rounding[0]) if rounding else lambda a: a.to(FLOATS[target])
    flush, saturate = "ftz" in modifiers, "sat" in modifiers

    def call(a: torch.Tensor) -> torch.Tensor:
        value = flushed(a) if flush else a
        result = whole[0](value) if whole else narrow(value)
        return saturated(result) if saturate else result

    return Meaning((source,), (target,), call)


def _narrowing(target: str, rounding: str) -> TensorFunction:
    return nearest(FLOATS[target]) if rounding == "rn" else towards_zero(FLOATS[target])


def _pair(modifiers: Sequence[str], target: str, source: str) -> Meaning | None:
    """Two numbers in one register: of two sources the first is the upper one."""
    words = set(modifiers)
    relu = "relu" in words
    words.discard("relu")
    if target in PACKED:
        dtype = PACKED[target]
        if source == "f32" and words in ({"rn"}, {"rz"}):
            narrow = nearest(dtype) if "rn" in words else towards_zero(dtype)
            return Meaning(
                ("f32", "f32"), ("b32",), lambda a, b: joined(narrow(_part(b, relu)), narrow(_part(a, relu)))
            )
        if target == "f16x2" and words == {"rn"} and (source in _PAIRS or source == "e2m1x2"):
            unpack = _unpacked_e2m1 if source == "e2m1x2" else _unpacked(_PAIRS[source])
            return Meaning(
                ("b8" if source == "e2m1x2" else "b16",),
                ("b32",),
                lambda a: joined(*(_part(part.to(dtype), relu) for part in unpack(a))),
            )
        return None
    if words != {"rn", "satfinite"}:
        return None
    bits = 4 if target == "e2m1x2" else 8
    encode = _e2m1 if target == "e2m1x2" else _encoded(_PAIRS[target])
    result = f"b{2 * bits}"
    if source == "f32":
        return Meaning(("f32", "f32"), (result,), lambda a, b: encode(_part(b, relu)) | encode(_part(a, relu)) << bits)
    if source not in PACKED or target == "e2m1x2":
        return None

    def call(a: torch.Tensor) -> torch.Tensor:
        low, high = (encode(_part(part.float(), relu)) for part in halves(a, PACKED[source]))
        return low | high << bits

    return Meaning(("b32",), (result,), call)


def _part(a: torch.Tensor, relu: bool) -> torch.Tensor:
    return a.clamp(min=0) if relu else a


def _unpacked(dtype: torch.dtype) -> TensorFunction:
    return lambda a: tuple((a >> shift & 0xFF).to(torch.uint8).view(dtype).float() for shift in (0, 8))  # type: ignore[return-value]


def _encoded(dtype: torch.dtype) -> TensorFunction:
    narrow = nearest(dtype)
    return lambda a: narrow(a).view(torch.uint8).long()


def _unpacked_e2m1(a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    table = torch.tensor([*_E2M1, *(-x for x in _E2M1)], device=a.device)
    return table[a & 15], table[a >> 4 & 15]


def _e2m1(a: torch.Tensor) -> torch.Tensor:
    """The code of the nearest number, of two equally near ones the even code. NaN is the largest number."""
    size, code = a.abs().nan_to_num(torch.inf, torch.inf), torch.zeros_like(a, dtype=torch.int64)
    for index, (low, high) in enumerate(pairwise(_E2M1)):
        middle = (low + high) / 2
        code = code + ((size > middle) | ((size == middle) & (index % 2 == 1)))
    return code | (torch.signbit(a) & ~torch.isnan(a)).long() << 3
