"""Inline PTX: each instruction against Python's integers or torch, and whole texts through kernels."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

import pytest
import torch
import triton
import triton.language as tl

from core.contracts.errors import TilescopeError
from core.interpreter import intercept
from core.interpreter.ops.ptx_conversions import conversion
from core.interpreter.ops.ptx_meanings import meaning
from core.interpreter.ops.ptx_types import read, written
from core.interpreter.ptx import Immediate, Register, UnknownPtx, parse

INTS = torch.randint(-(2**31), 2**31, (200,), generator=torch.Generator().manual_seed(3)).int()
OTHER_INTS = torch.randint(-(2**31), 2**31, (200,), generator=torch.Generator().manual_seed(4)).int()
FLOATS = torch.randn(200, generator=torch.Generator().manual_seed(0)) * 4
WORD = 2**32


def execute(name: str, *sources: torch.Tensor | int, bits: int = 32) -> torch.Tensor:
    known = conversion(name) or meaning(name)
    assert known is not None, name
    given = [x if isinstance(x, torch.Tensor) else torch.tensor(x) for x in sources]
    result = known.function(*(read(x, kind) for x, kind in zip(given, known.sources, strict=True)))
    return written(result[0] if isinstance(result, tuple) else result, known.results[0], bits)


def signed(a: int) -> int:
    return (a + 2**31) % WORD - 2**31


def _prmt(a: int, b: int, selector: int) -> int:
    both, result = (b << 32 | a).to_bytes(8, "little"), 0
    for place in range(4):
        choice = selector >> (4 * place) & 15
        byte = both[choice & 7]
        result |= ((0xFF if byte >> 7 else 0) if choice & 8 else byte) << (8 * place)
    return result


ON_WORDS: dict[str, Callable[[int, int], int]] = {
    "add.u32": lambda a, b: a + b,
    "sub.s32": lambda a, b: a - b,
    "mul.lo.u32": lambda a, b: a * b,
    "mul.hi.u32": lambda a, b: a * b >> 32,
    "mul.hi.s32": lambda a, b: signed(a) * signed(b) >> 32,
    "and.b32": lambda a, b: a & b,
    "or.b32": lambda a, b: a | b,
    "xor.b32": lambda a, b: a ^ b,
    "min.u32": min,
    "max.s32": lambda a, b: max(signed(a), signed(b)),
    "div.u32": lambda a, b: a // b,
    "rem.s32": lambda a, b: int(math.fmod(signed(a), signed(b))),
}


@pytest.mark.parametrize("name", ON_WORDS)
def test_that_arithmetic_on_words_is_that_of_python(name: str) -> None:
    pairs = [(a % WORD, b % WORD) for a, b in zip(INTS.tolist(), OTHER_INTS.tolist(), strict=True)]
    assert [x % WORD for x in execute(name, INTS, OTHER_INTS).tolist()] == [
        ON_WORDS[name](a, b) % WORD for a, b in pairs
    ]


ON_BITS: dict[str, tuple[tuple[int, ...], Callable[[int], int]]] = {
    "shl.b32": ((5,), lambda a: a << 5),
    "shr.u32": ((31,), lambda a: a >> 31),
    "shr.s32": ((40,), lambda a: signed(a) >> 31),
    "popc.b32": ((), lambda a: a.bit_count()),
    "clz.b32": ((), lambda a: 32 - a.bit_length()),
    "brev.b32": ((), lambda a: int(f"{a:032b}"[::-1], 2)),
    "not.b32": ((), lambda a: ~a),
    "neg.s32": ((), lambda a: -a),
    "bfe.u32": ((28, 8), lambda a: a >> 28),
    "bfe.s32": ((4, 6), lambda a: (a >> 4 & 63 ^ 32) - 32),
    "prmt.b32": ((0x12345678, 0xF472), lambda a: _prmt(a, 0x12345678, 0xF472)),
    "shf.l.wrap.b32": ((0x12345678, 36), lambda a: (0x12345678 << 4) | a >> 28),
    "shf.r.clamp.b32": ((0x12345678, 36), lambda a: 0x12345678),
    "bfi.b32": ((0, 8, 4), lambda a: (a & 15) << 8),
    "mad.lo.u32": ((3, 7), lambda a: 3 * a + 7),
}


@pytest.mark.parametrize("name", ON_BITS)
def test_that_instructions_on_bits_are_those_of_python(name: str) -> None:
    more, expected = ON_BITS[name]
    assert [x % WORD for x in execute(name, INTS, *more).tolist()] == [expected(a % WORD) % WORD for a in INTS.tolist()]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (0xF8, lambda a, b, c: a | b & c),
        (0xEA, lambda a, b, c: a & b | c),
        (0x96, lambda a, b, c: a ^ b ^ c),
    ],
)
def test_that_lop3_is_any_function_of_three_bits(table: int, expected: Callable[[int, int, int], int]) -> None:
    got = execute("lop3.b32", INTS, OTHER_INTS, 0x0F0F0F0F, table)
    pairs = zip(INTS.tolist(), OTHER_INTS.tolist(), strict=True)
    assert [x % WORD for x in got.tolist()] == [expected(a, b, 0x0F0F0F0F) % WORD for a, b in pairs]


def test_that_wide_products_have_all_bits() -> None:
    got = execute("mul.wide.s32", INTS, OTHER_INTS, bits=64)
    assert got.tolist() == [a * b for a, b in zip(INTS.tolist(), OTHER_INTS.tolist(), strict=True)]
    assert execute("shr.u64", torch.tensor([-1, 5]), 1, bits=64).tolist() == [2**63 - 1, 2]


ON_FLOATS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "ex2.approx.ftz.f32": torch.exp2,
    "lg2.approx.f32": torch.log2,
    "rcp.rn.f32": torch.reciprocal,
    "sqrt.approx.f32": torch.sqrt,
    "rsqrt.approx.f32": torch.rsqrt,
    "sin.approx.f32": torch.sin,
    "cos.approx.f32": torch.cos,
    "tanh.approx.f32": torch.tanh,
    "neg.f32": torch.neg,
    "abs.f32": torch.abs,
    "cvt.rni.f32.f32": torch.round,
    "cvt.sat.f32.f32": lambda a: a.clamp(0, 1),
}


@pytest.mark.parametrize("name", ON_FLOATS)
def test_that_functions_are_those_of_double_precision(name: str) -> None:
    x = FLOATS.abs() if name[:2] in ("lg", "sq", "rs") else FLOATS
    torch.testing.assert_close(execute(name, x), ON_FLOATS[name](x.double()).float())


def test_that_small_numbers_are_flushed_only_where_asked() -> None:
    tiny = torch.tensor([1e-40, -1e-40, 1.0])
    assert execute("add.ftz.f32", tiny, 0.0).tolist() == [0, 0, 1]
    assert torch.equal(execute("add.f32", tiny, torch.tensor(0.0)), tiny)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_that_packed_arithmetic_is_that_of_its_halves(dtype: torch.dtype) -> None:
    kind = "f16x2" if dtype == torch.float16 else "bf16x2"
    a, b = FLOATS.to(dtype), FLOATS.flip(0).to(dtype)
    for name, function in {"add.rn": torch.add, "mul": torch.mul, "max": torch.maximum}.items():
        got = execute(f"{name}.{kind}", a.view(torch.int32), b.view(torch.int32))
        assert torch.equal(got.view(dtype), function(a, b))


@pytest.mark.parametrize("kind", ["f16", "bf16"])
def test_that_two_floats_are_packed_with_the_first_above(kind: str) -> None:
    dtype = torch.float16 if kind == "f16" else torch.bfloat16
    got = execute(f"cvt.rn.{kind}x2.f32", FLOATS, -FLOATS).view(dtype).view(-1, 2)
    assert torch.equal(got, torch.stack((-FLOATS, FLOATS), 1).to(dtype))


@pytest.mark.parametrize(("kind", "dtype"), [("e4m3x2", torch.float8_e4m3fn), ("e5m2x2", torch.float8_e5m2)])
def test_that_eight_bit_floats_go_both_ways(kind: str, dtype: torch.dtype) -> None:
    packed = execute(f"cvt.rn.satfinite.{kind}.f32", FLOATS, FLOATS * 1e9, bits=16)
    eight = packed.view(dtype).view(-1, 2).float()
    largest = torch.finfo(dtype).max
    assert torch.equal(eight, torch.stack((FLOATS * 1e9, FLOATS), 1).clamp(-largest, largest).to(dtype).float())
    back = execute(f"cvt.rn.f16x2.{kind}", packed).view(torch.float16).view(-1, 2)
    assert torch.equal(back.float(), eight)


def test_that_four_bit_floats_go_both_ways() -> None:
    codes = torch.arange(256)
    numbers = execute("cvt.rn.f16x2.e2m1x2", codes).view(torch.float16).view(-1, 2)
    assert numbers[:16, 0].tolist() == [0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6]
    low, high = numbers.float().unbind(1)
    assert torch.equal(execute("cvt.rn.satfinite.e2m1x2.f32", high.clone(), low.clone(), bits=16).long(), codes)
    middle = execute("cvt.rn.satfinite.e2m1x2.f32", torch.zeros(7), torch.tensor([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5]))
    assert middle.tolist() == [0, 2, 2, 4, 4, 6, 6]


def test_that_conversions_saturate_as_ptx_says() -> None:
    x = torch.tensor([1e20, -1e20, math.nan, 2.5, -1.5])
    assert execute("cvt.rni.s32.f32", x).tolist() == [2**31 - 1, -(2**31), 0, 2, -2]
    assert [v % WORD for v in execute("cvt.rzi.u32.f32", x).tolist()] == [WORD - 1, 0, 0, 2, 0]
    assert execute("cvt.s32.s8", torch.tensor([0x80, 0x7F])).tolist() == [-128, 127]
    assert execute("cvt.sat.u8.s32", torch.tensor([-5, 300, 7])).tolist() == [0, 255, 7]
    assert execute("cvt.rn.f32.u32", torch.tensor([-1], dtype=torch.int32)).tolist() == [2.0**32]
    assert execute("cvt.rz.f16.f32", torch.tensor([65519.0, 1e6]), bits=16).tolist() == [65504, 65504]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("setp.lt.f32", [True, False, False]),
        ("setp.ltu.f32", [True, False, True]),
        ("setp.ne.f32", [True, False, False]),
        ("setp.neu.f32", [True, False, True]),
        ("setp.num.f32", [True, True, False]),
    ],
)
def test_that_comparisons_with_nan_are_ordered_or_not(name: str, expected: list[bool]) -> None:
    a, b = torch.tensor([1.0, 2.0, math.nan]), torch.tensor([2.0, 2.0, 2.0])
    assert execute(name, a, b, bits=1).tolist() == expected


def test_that_fns_counts_set_bits_in_both_directions() -> None:
    offsets = torch.tensor([0, 1, 2, 4, 5, -1, -2, -4], dtype=torch.int32)
    assert execute("fns.b32", torch.full((8,), 0b1011010), 3, offsets).tolist() == [3, 3, 4, -1, -1, 3, 1, -1]


def test_that_the_parser_reads_scopes_vectors_and_constants() -> None:
    text = """{ .reg .pred p, q<2>; // a comment \n .reg .b16 lo, hi; { .reg .b32 lo; mov.b32 lo, 0f3F800000; }
              @!q1 mov.b32 {lo, hi}, $1; add.s32 $0, $1, -0x10; }"""
    program = parse(text, (Register(0, 32), Register(1, 32)))
    assert program.widths == (32, 32, 1, 1, 1, 16, 16, 32)
    first, second, third = program.instructions
    assert (first.results, first.sources) == ((Register(7, 32),), (Immediate(struct.unpack(">f", b"\x3f\x80\0\0")[0]),))
    assert second.guard == Register(4, 1, negated=True)
    assert third.sources == (Register(1, 32), Immediate(-16))


@pytest.mark.parametrize(
    "text", ["again: add.s32 $0, $0, 1;", "add.s32 $0, $7, 1;", "bra again;", "mov.u32 $0, %laneid;"]
)
def test_that_what_is_no_straight_line_of_registers_is_refused(text: str) -> None:
    with pytest.raises(UnknownPtx):
        parse(text, (Register(0, 32),))


@triton.jit
def text_kernel(
    x_ptr, y_ptr, o_ptr, TEXT: tl.constexpr, CONSTRAINTS: tl.constexpr, PACK: tl.constexpr, N: tl.constexpr
):
    i = tl.program_id(0) * N + tl.arange(0, N)
    operands = [tl.load(x_ptr + i), tl.load(y_ptr + i)]
    tl.store(o_ptr + i, tl.inline_asm_elementwise(TEXT, CONSTRAINTS, operands, o_ptr.dtype.element_ty, True, PACK))


def launch(text: str, constraints: str, x: torch.Tensor, y: torch.Tensor, dtype: torch.dtype, pack: int) -> Any:
    o = torch.empty(x.shape, dtype=dtype)
    with intercept():
        text_kernel[(2,)](x, y, o, TEXT=text, CONSTRAINTS=constraints, PACK=pack, N=len(x) // 2)
    return o


SOFTPLUS = """
{
    // log2(1 + 2^x), but x itself where that is the same
    .reg .pred p;
    .reg .f32 t;
    setp.gt.f32 p, $1, 0f41700000;
    @p mov.f32 $0, $1;
    @!p ex2.approx.ftz.f32 t, $1;
    @!p add.f32 t, t, 0f3F800000;
    @!p lg2.approx.f32 $0, t;
    mul.f32 $0, $0, $2;
}
"""


def test_that_guarded_instructions_act_on_their_elements_only() -> None:
    x, y = torch.linspace(-20, 40, 64), torch.rand(64)
    o = launch(SOFTPLUS, "=f,f,f", x, y, torch.float32, 1)
    torch.testing.assert_close(o, torch.where(x > 15, x, torch.log2(1 + torch.exp2(x))) * y)


def test_that_elements_share_registers_as_they_are_packed() -> None:
    x, y = torch.randn(64).half(), torch.randn(64).half()
    assert torch.equal(launch("add.rn.f16x2 $0, $1, $2;", "=r,r,r", x, y, torch.float16, 2), x + y)
    a = torch.arange(64, dtype=torch.uint8)
    widened = """{ .reg .b8 t<4>; mov.b32 {t0, t1, t2, t3}, $4; cvt.u32.u8 $0, t0; cvt.u32.u8 $1, t1;
                   cvt.u32.u8 $2, t2; cvt.u32.u8 $3, t3; } add.s32 $3, $3, 100;"""
    o = launch(widened, "=r,=r,=r,=r,r,r", a, a, torch.int32, 4)
    assert torch.equal(o, a.int() + 100 * (a % 4 == 3))


def test_that_a_kernel_finds_the_nth_set_bit() -> None:
    x, n = torch.full((16,), 0b1011010, dtype=torch.int32), torch.arange(1, 17, dtype=torch.int32)
    found = launch("fns.b32 $0, $1, 0, $2;", "=r,r,r", x, n, torch.int32, 1)
    assert found.tolist() == [1, 3, 4, 6] + [-1] * 12


def test_that_an_unknown_instruction_is_named_with_its_line() -> None:
    x = torch.zeros(16, dtype=torch.int32)
    message = r"test_inline_ptx\.py:\d+ runs inline assembly \('frob\.b32 \$0, \$2;'\)"
    with pytest.raises(TilescopeError, match=message):
        launch("add.s32 $0, $1, 1; frob.b32 $0, $2;", "=r,r,r", x, x, torch.int32, 1)
