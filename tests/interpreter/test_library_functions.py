"""libdevice: what rounds in a direction, converts, or works on bits, against exact arithmetic of Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
import triton
import triton.language as tl
from triton.language.extra import libdevice

from core.interpreter import intercept
from core.interpreter.ops.libdevice import library_function

FLOATS = torch.randn(200, generator=torch.Generator().manual_seed(0)) * 1000
OTHERS = torch.randn(200, generator=torch.Generator().manual_seed(1)) * 0.01
THIRDS = torch.randn(200, generator=torch.Generator().manual_seed(2))
INTS = torch.randint(-(2**31), 2**31, (200,), generator=torch.Generator().manual_seed(3)).int()
OTHER_INTS = torch.randint(-(2**31), 2**31, (200,), generator=torch.Generator().manual_seed(4)).int()


def call(name: str, *tensors: torch.Tensor) -> torch.Tensor:
    function = library_function(name)
    assert function is not None, name
    return function(*tensors)


_OPERATIONS: dict[str, Callable[..., Fraction]] = {
    "fadd": lambda a, b: a + b,
    "fsub": lambda a, b: a - b,
    "fmul": lambda a, b: a * b,
    "fdiv": lambda a, b: a / b,
    "frcp": lambda a: 1 / a,
    "fmaf": lambda a, b, c: a * b + c,
}


@pytest.mark.parametrize("operation", _OPERATIONS)
@pytest.mark.parametrize("mode", ["rz", "rd", "ru"])
def test_that_directed_rounding_gives_the_nearest_number_on_that_side(operation: str, mode: str) -> None:
    exact = _OPERATIONS[operation]
    inputs = [FLOATS, OTHERS, THIRDS][: exact.__code__.co_argcount]
    for got, *numbers in zip(call(f"{operation}_{mode}", *inputs), *inputs, strict=True):
        value = exact(*(Fraction(x.item()) for x in numbers))
        down = mode == "rd" or (mode == "rz" and value > 0)
        assert Fraction(got.item()) <= value if down else Fraction(got.item()) >= value
        further = torch.nextafter(got, torch.tensor(math.inf if down else -math.inf))
        assert Fraction(further.item()) > value if down else Fraction(further.item()) < value


@pytest.mark.parametrize("mode", ["rz", "rd", "ru"])
def test_that_a_root_rounds_in_its_direction(mode: str) -> None:
    for got, number in zip(call(f"fsqrt_{mode}", FLOATS.abs()), FLOATS.abs(), strict=True):
        square = Fraction(number.item())
        other = torch.nextafter(got, torch.tensor(0.0 if mode == "ru" else math.inf))
        low, high = sorted((Fraction(got.item()), Fraction(other.item())))
        assert low**2 <= square <= high**2


@pytest.mark.parametrize(
    ("mode", "rounded"), [("rn", round), ("rz", math.trunc), ("rd", math.floor), ("ru", math.ceil)]
)
def test_that_floats_become_integers_and_saturate(mode: str, rounded: Callable[[float], int]) -> None:
    x = torch.cat((FLOATS, torch.tensor([1e20, -1e20, math.nan, 2.5])))
    for target, low, high in (("int", -(2**31), 2**31 - 1), ("uint", 0, 2**32 - 1), ("ull", 0, 2**64 - 1)):
        expected = [0 if math.isnan(v) else min(max(rounded(v), low), high) for v in x.tolist()]
        got = [v % (high + 1 - low) if low == 0 else v for v in call(f"float2{target}_{mode}", x).tolist()]
        assert got == expected


@pytest.mark.parametrize("source", ["int", "uint"])
@pytest.mark.parametrize("mode", ["rn", "rz", "rd", "ru"])
def test_that_integers_become_floats(source: str, mode: str) -> None:
    for got, number in zip(call(f"{source}2float_{mode}", INTS), INTS.tolist(), strict=True):
        value = number % 2**32 if source == "uint" else number
        difference = int(got.item()) - value
        spacing = max(abs(torch.nextafter(got, torch.tensor(0.0)).item() - got.item()), 1) * 2
        assert abs(difference) <= (spacing / 2 if mode == "rn" else spacing)
        assert mode != "rd" or difference <= 0
        assert mode != "ru" or difference >= 0
        assert mode != "rz" or abs(int(got.item())) <= abs(value)


def _python(name: str, a: int, b: int) -> int:
    ua, ub = a % 2**32, b % 2**32
    return {
        "brev": int(f"{ua:032b}"[::-1], 2),
        "hadd": (a + b) >> 1,
        "rhadd": (a + b + 1) >> 1,
        "uhadd": (ua + ub) >> 1,
        "urhadd": (ua + ub + 1) >> 1,
        "mulhi": (a * b) >> 32,
        "umulhi": (ua * ub) >> 32,
        "mul24": ((ua % 2**24 ^ 2**23) - 2**23) * ((ub % 2**24 ^ 2**23) - 2**23),
        "umul24": (ua % 2**24) * (ub % 2**24),
        "byte_perm": sum(((((ub << 32) | ua) >> (8 * s)) & 255) << (8 * i) for i, s in enumerate((1, 6, 3, 4))),
    }[name]


@pytest.mark.parametrize(
    "name", ["brev", "hadd", "rhadd", "uhadd", "urhadd", "mulhi", "umulhi", "mul24", "umul24", "byte_perm"]
)
def test_that_functions_of_bits_are_those_of_python(name: str) -> None:
    extra = (torch.full((200,), 0x4361, dtype=torch.int32),) if name == "byte_perm" else ()
    operands = (INTS,) if name == "brev" else (INTS, OTHER_INTS)
    expected = [_python(name, a, b) % 2**32 for a, b in zip(INTS.tolist(), OTHER_INTS.tolist(), strict=True)]
    assert [value % 2**32 for value in call(name, *operands, *extra).tolist()] == expected


@pytest.mark.parametrize("name", ["mul64hi", "umul64hi"])
def test_that_the_upper_half_of_a_product_is_that_of_python(name: str) -> None:
    a, b = (x.long() * 3_000_000_019 for x in (INTS, OTHER_INTS))
    numbers = [
        (x, y) if name == "mul64hi" else (x % 2**64, y % 2**64) for x, y in zip(a.tolist(), b.tolist(), strict=True)
    ]
    assert [value % 2**64 for value in call(name, a, b).tolist()] == [(x * y >> 64) % 2**64 for x, y in numbers]


@triton.jit
def exponents_kernel(x_ptr, o_ptr, e_ptr, BLOCK: tl.constexpr):
    offsets = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offsets)
    tl.store(e_ptr + offsets, libdevice.ilogb(x))
    tl.store(o_ptr + offsets, libdevice.logb(x))
    tl.store(o_ptr + BLOCK + offsets, libdevice.scalbn(x, 3))
    tl.store(o_ptr + 2 * BLOCK + offsets, libdevice.norm3d(x, x, 2 * x))


def test_that_exponents_and_norms_are_those_of_closed_formulas() -> None:
    x = torch.tensor([1.0, -0.75, 1000.0, 2.0**-140, 0.0, math.inf, 3.0, 8.0])
    o, e = torch.empty(3, 8), torch.empty(8, dtype=torch.int32)
    with intercept():
        exponents_kernel[(1,)](x, o, e, BLOCK=8)
    assert e.tolist() == [0, -1, 9, -140, -(2**31), 2**31 - 1, 1, 3]
    assert o[0].tolist() == [0, -1, 9, -140, -math.inf, math.inf, 1, 3]
    assert torch.equal(o[1], x * 8)
    torch.testing.assert_close(o[2], x.abs() * math.sqrt(6))


@triton.jit
def one_bit_kernel(x_ptr, o_ptr, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    data, other, place = tl.load(x_ptr + i) > 0, tl.load(x_ptr + i) < 1, i < 5
    tl.store(o_ptr + i, (data * place).to(tl.int32))
    tl.store(o_ptr + BLOCK + i, (place * (i > 2)).to(tl.int32))
    tl.store(o_ptr + 2 * BLOCK + i, (data + other).to(tl.int32))
    tl.store(o_ptr + 3 * BLOCK + i, (place - (i > 2)).to(tl.int32))
    tl.store(o_ptr + 4 * BLOCK + i, tl.maximum(place, i > 2).to(tl.int32))
    tl.store(o_ptr + 5 * BLOCK + i, tl.minimum(data, place).to(tl.int32))


def test_that_arithmetic_on_conditions_is_that_of_single_bits() -> None:
    x, o, i = torch.linspace(-2, 3, 8), torch.empty(6, 8, dtype=torch.int32), torch.arange(8)
    with intercept():
        one_bit_kernel[(1,)](x, o, BLOCK=8)
    data, other, place, late = x > 0, x < 1, i < 5, i > 2
    expected = [data & place, place & late, data ^ other, place ^ late, place | late, data & place]
    assert torch.equal(o, torch.stack(expected).int())
