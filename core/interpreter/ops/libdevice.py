"""libdevice: the functions of NVIDIA's library of mathematics, by name. torch is as exact, or more so."""

from __future__ import annotations

import math

import torch

from core.interpreter.ops.elementwise import TensorFunction
from core.interpreter.ops.libdevice_integers import INTEGERS, half_away
from core.interpreter.ops.libdevice_rounding import conversion, fused, rounded_arithmetic


def _norm(*parts: torch.Tensor) -> torch.Tensor:
    return sum((part.double().square() for part in parts), torch.zeros((), dtype=torch.float64)).sqrt()


def _exponent(a: torch.Tensor) -> torch.Tensor:
    """Of the leading bit: floor(log2(|a|)), exactly; subnormal numbers too."""
    return torch.frexp(a.double()).exponent - 1


def _ilogb(a: torch.Tensor) -> torch.Tensor:
    exponent = torch.where(a == 0, -(2**31), _exponent(a))  # as CUDA: FP_ILOGB0, FP_ILOGBNAN and INT_MAX
    return torch.where(a.isnan(), -(2**31), torch.where(a.isinf(), 2**31 - 1, exponent))


def _logb(a: torch.Tensor) -> torch.Tensor:
    finite = torch.where(a == 0, -math.inf, _exponent(a).double())
    return torch.where(a.isfinite(), finite, a.double().abs()).to(a.dtype)


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
    "cyl_bessel_i0": torch.special.i0,
    "cyl_bessel_i1": torch.special.i1,
    "erfcinv": lambda a: torch.erfinv(1 - a.double()).to(a.dtype),
    "erfcx": torch.special.erfcx,
    "exp10": lambda a: torch.pow(10.0, a),
    "fabs": torch.abs,
    "fdim": lambda a, b: (a - b).clamp_min(0),
    "fma": fused,
    "ilogb": _ilogb,
    "j0": torch.special.bessel_j0,
    "j1": torch.special.bessel_j1,
    "ldexp": lambda a, n: torch.ldexp(a, n),
    "logb": _logb,
    "nearbyint": torch.round,
    "norm3d": lambda a, b, c: _norm(a, b, c).to(a.dtype),
    "norm4d": lambda a, b, c, d: _norm(a, b, c, d).to(a.dtype),
    "normcdf": torch.special.ndtr,
    "normcdfinv": torch.special.ndtri,
    "powi": lambda a, n: torch.pow(a, n.to(a.dtype)),
    "rcbrt": lambda a: (1 / torch.copysign(a.abs().double().pow(1 / 3), a)).to(a.dtype),
    "remainder": lambda a, b: a - b * torch.round(a / b),
    "rhypot": lambda a, b: (1 / _norm(a, b)).to(a.dtype),
    "rint": torch.round,
    "rnorm3d": lambda a, b, c: (1 / _norm(a, b, c)).to(a.dtype),
    "rnorm4d": lambda a, b, c, d: (1 / _norm(a, b, c, d)).to(a.dtype),
    "round": half_away,
    "saturate": lambda a: a.clamp(0, 1),
    "scalbn": torch.ldexp,
    "sinpi": lambda a: torch.sin(a.double() * math.pi).to(a.dtype),
    "tgamma": lambda a: torch.exp(torch.lgamma(a)),
    "y0": torch.special.bessel_y0,
    "y1": torch.special.bessel_y1,
}
"""libdevice functions on floats, by name without '__nv_', 'fast_' and the 'f' of single precision."""


def library_function(name: str) -> TensorFunction | None:
    """The function with that name without '__nv_', on tensors of its operands' types; None if there is none."""
    found = INTEGERS.get(name) or conversion(name) or rounded_arithmetic(name)
    if found is not None:
        return found
    name = name.removeprefix("fast_")
    if name == "fdividef":
        return torch.div
    return _FLOATS.get(name) or _FLOATS.get(name.removesuffix("f"))
