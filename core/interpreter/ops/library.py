"""Functions outside the dialects: libdevice, and known single instructions of inline PTX."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import torch

from core.contracts.errors import TilescopeError
from core.contracts.text import quoted, tr
from core.interpreter.ir import Operation
from core.interpreter.ops.elementwise import TensorFunction, float_function
from core.interpreter.ops.registry import PureFunction, pure
from core.interpreter.values import to_torch, torch_dtype


def _half_away(a: torch.Tensor) -> torch.Tensor:
    """C's round: halves go away from zero."""
    whole = torch.trunc(a)
    return torch.where((a - whole).abs() >= 0.5, whole + torch.sign(a), whole)


def _fma(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
    return (a.double() * b.double() + c.double()).to(a.dtype)


def _tf32(a: torch.Tensor) -> torch.Tensor:
    """Nearest with 10 bits of mantissa, halves away from zero (cvt.rna)."""
    bits = a.contiguous().view(torch.int32)
    return torch.where(torch.isfinite(a), (bits + 0x1000) & ~0x1FFF, bits).view(torch.float32)


_FLOATS: dict[str, TensorFunction] = {
    **{
        name: getattr(torch, name)
        for name in [
            "acos",
            "acosh",
            "asin",
            "asinh",
            "atan",
            "atan2",
            "atanh",
            "ceil",
            "copysign",
            "cos",
            "cosh",
            "erf",
            "erfc",
            "erfinv",
            "exp",
            "exp2",
            "expm1",
            "floor",
            "fmax",
            "fmin",
            "fmod",
            "hypot",
            "lgamma",
            "log",
            "log10",
            "log1p",
            "log2",
            "nextafter",
            "pow",
            "rsqrt",
            "sin",
            "sinh",
            "sqrt",
            "tan",
            "tanh",
            "trunc",
        ]
    },
    "cbrt": lambda a: torch.copysign(a.abs().double().pow(1 / 3), a).to(a.dtype),
    "cospi": lambda a: torch.cos(a.double() * math.pi).to(a.dtype),
    "erfcx": torch.special.erfcx,
    "exp10": lambda a: torch.pow(10.0, a),
    "fabs": torch.abs,
    "fdim": lambda a, b: (a - b).clamp_min(0),
    "fma": _fma,
    "j0": torch.special.bessel_j0,
    "j1": torch.special.bessel_j1,
    "ldexp": lambda a, n: torch.ldexp(a, n),
    "nearbyint": torch.round,
    "normcdf": torch.special.ndtr,
    "normcdfinv": torch.special.ndtri,
    "powi": lambda a, n: torch.pow(a, n.to(a.dtype)),
    "rcbrt": lambda a: (1 / torch.copysign(a.abs().double().pow(1 / 3), a)).to(a.dtype),
    "remainder": lambda a, b: a - b * torch.round(a / b),
    "rint": torch.round,
    "round": _half_away,
    "saturate": lambda a: a.clamp(0, 1),
    "sinpi": lambda a: torch.sin(a.double() * math.pi).to(a.dtype),
    "tgamma": lambda a: torch.exp(torch.lgamma(a)),
    "y0": torch.special.bessel_y0,
    "y1": torch.special.bessel_y1,
}
"""libdevice functions on floats, by name without '__nv_', 'fast_' and the 'f' of single precision."""

_ROUNDED: dict[str, TensorFunction] = {
    "add": torch.add,
    "div": torch.div,
    "fma": _fma,
    "mul": torch.mul,
    "rcp": torch.reciprocal,
    "rsqrt": torch.rsqrt,
    "sqrt": torch.sqrt,
    "sub": torch.sub,
}
"""libdevice functions with the suffix '_rn': round to nearest even, as torch does."""


def _popcount(a: torch.Tensor) -> torch.Tensor:
    bits = torch.arange(torch.iinfo(a.dtype).bits, device=a.device)
    return ((a.unsqueeze(-1) >> bits) & 1).sum(-1)


def _leading_zeros(a: torch.Tensor) -> torch.Tensor:
    bits = torch.arange(torch.iinfo(a.dtype).bits, device=a.device)
    place = torch.where(((a.unsqueeze(-1) >> bits) & 1) == 1, bits + 1, 0).amax(-1)
    return len(bits) - place


def _first_set(a: torch.Tensor) -> torch.Tensor:
    """One more than the position of the lowest set bit; 0 if no bit is set."""
    return torch.where(a == 0, 0, _popcount((a & -a) - 1) + 1)


def _view(dtype: torch.dtype) -> TensorFunction:
    return lambda a: a.contiguous().view(dtype)


_ANY: dict[str, TensorFunction] = {
    "abs": torch.abs,
    "llabs": torch.abs,
    "clz": _leading_zeros,
    "clzll": _leading_zeros,
    "ffs": _first_set,
    "ffsll": _first_set,
    "popc": _popcount,
    "popcll": _popcount,
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
    "float2int_rn": torch.round,
    "float2int_rz": torch.trunc,
    "float2int_rd": torch.floor,
    "float2int_ru": torch.ceil,
    "int2float_rn": lambda a: a,
    "llrint": torch.round,
    "llrintf": torch.round,
    "llround": _half_away,
    "llroundf": _half_away,
    "max": torch.maximum,
    "min": torch.minimum,
    "mulhi": lambda a, b: (a.long() * b.long()) >> 32,
}
"""libdevice functions on integers, and conversions."""


def _library_function(name: str) -> TensorFunction | None:
    if name in _ANY:
        return _ANY[name]
    name = name.removeprefix("fast_")
    if name.endswith("_rn"):
        return _ROUNDED.get(name.removesuffix("_rn").removeprefix("f" if name != "fma_rn" else "")) or _ROUNDED.get(
            name.removesuffix("_rn").removeprefix("d")
        )
    if name == "fdividef":
        return torch.div
    return _FLOATS.get(name) or _FLOATS.get(name.removesuffix("f"))


def _converted(operation: Operation, function: Callable[..., Any]) -> PureFunction:
    """`function` on tensors of the operands' types, with its result converted to the operation's result type."""
    if operation.result.type.is_float and all(
        v.type.element == operation.result.type.element for v in operation.operands
    ):
        return float_function(operation, function)
    types = [value.type for value in operation.operands]
    target = torch_dtype(operation.result.type.element)
    return lambda *values: function(*(to_torch(v, t) for v, t in zip(values, types, strict=True))).to(target)


@pure("tt.extern_elementwise")
def _extern(operation: Operation) -> PureFunction:
    symbol = str(operation.attributes.get("symbol", ""))
    function = _library_function(symbol.removeprefix("__nv_"))
    if function is None:
        raise TilescopeError(
            tr(
                "{location} calls the library function {name}, which Tilescope does not support: rewrite the "
                "line without it.",
                location=operation.location.label,
                name=quoted(symbol),
            )
        )
    return _converted(operation, function)


_INSTRUCTIONS: dict[str, TensorFunction] = {
    "abs": torch.abs,
    "add": torch.add,
    "and": torch.bitwise_and,
    "brev": lambda a: sum(((a >> i) & 1) << (31 - i) for i in range(32)),
    "clz": _leading_zeros,
    "cos": torch.cos,
    "cvt.rna.tf32": _tf32,
    "div": torch.div,
    "ex2": torch.exp2,
    "fma": _fma,
    "lg2": torch.log2,
    "max": torch.fmax,
    "min": torch.fmin,
    "mov": lambda a: a,
    "mul": torch.mul,
    "neg": torch.neg,
    "not": torch.bitwise_not,
    "or": torch.bitwise_or,
    "popc": _popcount,
    "rcp": torch.reciprocal,
    "rsqrt": torch.rsqrt,
    "sin": torch.sin,
    "sqrt": torch.sqrt,
    "sub": torch.sub,
    "tanh": torch.tanh,
    "xor": torch.bitwise_xor,
}
_HARMLESS = ("approx", "rn", "ftz", "full", "rna", "tf32")
_FLOAT_TYPES = ("f16", "bf16", "f32", "f64")
_BIT_TYPES = ("b16", "b32", "b64")


def _instruction(assembly: str, operands: int) -> TensorFunction | None:
    """The function of `name.modifiers.type $0, $1, ...;` if the text is one known instruction, else None."""
    match = re.fullmatch(r"\s*\{?\s*([a-z0-9.]+)\s+([$0-9,\s]+);\s*\}?\s*", assembly)
    if match is None or re.findall(r"\$\d+", match[2]) != [f"${i}" for i in range(operands + 1)]:
        return None
    name, *modifiers = match[1].split(".")
    if match[1] == "cvt.rna.tf32.f32":
        return _tf32
    bits = name in ("and", "or", "xor", "not", "popc", "clz", "brev", "mov")
    known = modifiers and modifiers[-1] in (_BIT_TYPES if bits else _FLOAT_TYPES)
    return _INSTRUCTIONS.get(name) if known and all(m in _HARMLESS for m in modifiers[:-1]) else None


@pure("tt.elementwise_inline_asm")
def _inline_assembly(operation: Operation) -> PureFunction:
    assembly = str(operation.attributes["words"][0])
    single = len(operation.results) == 1 and operation.attributes.get("packed_element", 1) == 1
    function = _instruction(assembly, len(operation.operands)) if single else None
    if function is None:
        raise TilescopeError(
            tr(
                "{location} runs inline assembly ({assembly}) that Tilescope does not support, so the kernel "
                "was not run: write it with Triton operations.",
                location=operation.location.label,
                assembly=quoted(_shortened(assembly)),
            )
        )
    return _converted(operation, function)


def _shortened(assembly: str) -> str:
    text = " ".join(assembly.replace("\\n", " ").split())
    return text if len(text) <= 60 else f"{text[:57]}..."
