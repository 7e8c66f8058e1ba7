"""Operations whose reference is torch: low precision, libraries, inline assembly, diagnostics."""

from __future__ import annotations

import math

import pytest
import torch

from core.contracts.errors import TilescopeError
from core.interpreter import intercept
from tests.interpreter import extra_kernels as kernels
from tests.interpreter import traced_kernels


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def converted(x: torch.Tensor, dtype: torch.dtype, rounding: str) -> torch.Tensor:
    o = torch.zeros(len(x), dtype=dtype)
    with intercept():
        kernels.convert_kernel[(1,)](x, o, ROUNDING=rounding, BLOCK=len(x))
    return o


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2])
def test_that_conversions_to_nearest_are_those_of_torch(dtype: torch.dtype) -> None:
    x = torch.randn(256, generator=generator()) * 20
    assert torch.equal(converted(x, dtype, "rtne").float(), x.to(dtype).float())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_that_conversions_towards_zero_never_grow_and_are_the_closest_such(dtype: torch.dtype) -> None:
    x = torch.randn(256, generator=generator()) * 1000
    x[:2] = torch.tensor([3.4e38, -3.4e38])
    rounded = converted(x, dtype, "rtz")
    assert bool((rounded.float().abs() <= x.abs()).all())
    larger = (rounded.view(torch.int16) + 1).view(dtype).float().abs()
    assert bool((larger > x.abs()).all())


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_that_8_bit_floats_saturate_as_the_hardware_does(dtype: torch.dtype) -> None:
    x = torch.tensor([1e6, -1e6, math.inf, math.nan])
    rounded = converted(x, dtype, "rtne").float()
    largest = torch.finfo(dtype).max
    assert rounded[:3].tolist() == [largest, -largest, largest]
    assert math.isnan(rounded[3])


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_that_8_bit_dot_products_accumulate_in_float32(dtype: torch.dtype) -> None:
    a, b = (torch.randn(32, 32, generator=generator(seed)).to(dtype) for seed in (0, 1))
    o = torch.empty(32, 32)
    with intercept():
        traced_kernels.dot_kernel[(1,)](a, b, o, SIZE=32)
    torch.testing.assert_close(o, a.float() @ b.float(), rtol=1e-6, atol=1e-6)


def fp4(packed: torch.Tensor) -> torch.Tensor:
    """[K / 2, N] bytes to [K, N] numbers."""
    table = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6])
    table = torch.cat((table, -table))
    low, high = packed.long() & 15, packed.long() >> 4
    return table[torch.stack((low, high), 1).flatten(0, 1)]


def factors(scale: torch.Tensor) -> torch.Tensor:
    return torch.exp2(scale.float() - 127).repeat_interleave(32, dim=1)


def test_that_microscaled_products_are_decoded() -> None:
    a = torch.randn(32, 64, generator=generator()).to(torch.float8_e4m3fn)
    b = torch.randint(0, 256, (32, 32), generator=generator(1), dtype=torch.uint8)
    scale_a, scale_b = (torch.randint(124, 130, (32, 2), generator=generator(s), dtype=torch.uint8) for s in (2, 3))
    expected = (a.float() * factors(scale_a)) @ (fp4(b) * factors(scale_b).t())
    o = torch.empty(32, 32)
    with intercept():
        kernels.scaled_dot_kernel[(1,)](a, scale_a, b, scale_b, o, A="e4m3", B="e2m1", B_PACK=2, SIZE=32, K=64)
    torch.testing.assert_close(o, expected, rtol=1e-5, atol=1e-4)


def test_that_nvfp4_has_an_8_bit_float_for_16_numbers() -> None:
    a, b = (torch.randint(0, 256, (32, 32), generator=generator(s), dtype=torch.uint8) for s in (0, 1))
    scale_a, scale_b = (torch.rand(32, 4, generator=generator(s)).mul(8).sub(2).to(torch.float8_e4m3fn) for s in (2, 3))
    left = fp4(a.t()).t() * scale_a.float().repeat_interleave(16, dim=1)
    right = fp4(b) * scale_b.float().repeat_interleave(16, dim=1).t()
    formats = {"A": "e2m1", "A_PACK": 2, "B": "e2m1", "B_PACK": 2, "GROUP": 16}
    o = torch.empty(32, 32)
    with intercept() as tracer:
        kernels.scaled_dot_kernel[(1,)](a, scale_a, b, scale_b, o, **formats, SIZE=32, K=64)
    torch.testing.assert_close(o, left @ right, rtol=1e-5, atol=1e-4)
    assert tracer.launches[0].product_flops == 2 * 32 * 32 * 64


def test_that_one_side_may_have_no_scale() -> None:
    a = torch.randn(32, 64, generator=generator()).to(torch.bfloat16)
    b = torch.randn(64, 32, generator=generator(1)).to(torch.float8_e5m2)
    scale = torch.randint(124, 130, (32, 2), generator=generator(2), dtype=torch.uint8)
    o = torch.empty(32, 32)
    with intercept():
        kernels.scaled_dot_kernel[(1,)](a, None, b, scale, o, A="bf16", B="e5m2", B_PACK=1, SIZE=32, K=64)
    torch.testing.assert_close(o, a.float() @ (b.float() * factors(scale).t()), rtol=1e-5, atol=1e-4)


def test_that_descriptors_gather_scatter_and_reduce() -> None:
    x, o = torch.randn(32, 32, generator=generator()), torch.zeros(32, 32)
    rows = torch.tensor([3, 1, 9, 20, 7, 0, 15, 12], dtype=torch.int32)
    with intercept() as tracer:
        kernels.descriptor_rows_kernel[(1,)](x, rows, o, SIZE=32, BLOCK=16)
    expected, tile = torch.zeros(32, 32), x[rows.long(), 16:]
    expected[rows.long(), :16] = 2 * tile
    expected[24:, 16:] += tile
    expected[28:, 16:] += tile[:4]  # what lies below the tensor is left out
    torch.testing.assert_close(o, expected)
    assert [access.kind for access in tracer.launches[0].accesses].count("atomic") == 2


def test_that_library_functions_are_those_of_c() -> None:
    x = torch.tensor([-2.5, -1.3, -0.625, -0.125, 0.125, 0.625, 1.7, 2.5])
    i = torch.tensor([0, 1, -1, 8, 1 << 30, -(1 << 31), 12, 255], dtype=torch.int32)
    o, bits = torch.empty(5, 8), torch.empty(5, 8, dtype=torch.int32)
    with intercept():
        kernels.libdevice_kernel[(1,)](x, i, o, bits, BLOCK=8)
    torch.testing.assert_close(o[0], x.tanh())
    assert o[1].tolist() == [-10, -5, -3, -1, 1, 3, 7, 10]
    torch.testing.assert_close(o[2], x.abs() ** 1.5)
    torch.testing.assert_close(o[3], x.exp() + torch.log1p(x * x))
    torch.testing.assert_close(o[4], x / 3 + torch.sign(x) * x.abs() ** (1 / 3))
    assert bits[0].tolist() == [(n & 0xFFFFFFFF).bit_count() for n in i.tolist()]
    assert bits[1].tolist() == [32 - (n & 0xFFFFFFFF).bit_length() for n in i.tolist()]
    assert bits[2].tolist() == [0, 1, 1, 4, 31, 32, 3, 1]
    assert bits[3].tolist() == [0] * 8
    assert torch.equal(bits[4], x.view(torch.int32))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("add.rn.f32 $0, $1, $2;", lambda x: x + x),
        ("{ mul.f32 $0, $1, $2; }", lambda x: x * x),
        ("max.ftz.f32 $0, $1, $2;", lambda x: x),
        ("add.f32 $0, $1, $2; mul.f32 $0, $0, $2;", lambda x: (x + x) * x),
    ],
)
def test_that_known_instructions_are_executed(text: str, expected: object) -> None:
    x, o = torch.randn(16, generator=generator()), torch.empty(16)
    with intercept():
        kernels.assembly_kernel[(1,)](x, o, TEXT=text, BLOCK=16)
    torch.testing.assert_close(o, expected(x), rtol=0, atol=0)  # type: ignore[operator]


@pytest.mark.parametrize(
    "text", ["add.rz.f32 $0, $1, $2;", "ld.global.f32 $0, [$1];", "add.f32 $0, $1, $2; again: add.f32 $0, $0, $2;"]
)
def test_that_assembly_of_unknown_meaning_is_one_sentence(text: str) -> None:
    x, o = torch.randn(16, generator=generator()), torch.empty(16)
    with (
        pytest.raises(TilescopeError, match=r"extra_kernels\.py:\d+ runs inline assembly .* does not support"),
        intercept(),
    ):
        kernels.assembly_kernel[(1,)](x, o, TEXT=text, BLOCK=16)


def test_that_a_failed_assertion_names_its_line_and_program() -> None:
    x, o = torch.arange(32.0), torch.empty(32)
    message = r"The assertion at .*extra_kernels\.py:\d+ fails in program \(1, 0, 0\) of assert_kernel: x must be small"
    with pytest.raises(TilescopeError, match=message), intercept():
        kernels.assert_kernel[(2,)](x, o, BLOCK=16, debug=True)


def test_that_a_failed_assertion_is_a_fault_where_faults_are_recorded() -> None:
    x, o = torch.arange(32.0), torch.empty(32)
    with intercept(faults="record") as tracer:
        kernels.assert_kernel[(2,)](x, o, BLOCK=16, debug=True)
    assert torch.equal(o, x)
    (fault,) = tracer.launches[0].faults
    assert (fault.kind, fault.program, fault.count) == ("failed assertion", 1, 12)
    assert "fails in program (1, 0, 0)" in str(fault.sentence)


def test_that_assertions_are_left_out_unless_debugging_as_triton_does() -> None:
    x, o = torch.arange(32.0), torch.empty(32)
    with intercept():
        kernels.assert_kernel[(2,)](x, o, BLOCK=16)
    assert torch.equal(o, x)


def test_that_prints_are_kept_by_line_and_program_and_are_bounded() -> None:
    x, o = torch.zeros(64 * 16), torch.empty(64 * 16)
    with intercept() as tracer:
        kernels.assert_kernel[(64,)](x, o, BLOCK=16)
    printed = tracer.launches[0].printed
    assert "program (1, 0, 0): seen" in printed[1]
    assert printed[1].endswith("0, 0, 0, 0, 0, 0, 0, 0, ... (16 elements)")
    assert len(printed) == 17
    assert "48 more programs print here" in printed[-1]


def test_that_nan_loses_or_spreads_as_ieee_754_and_the_kernel_ask() -> None:
    """Triton's interpreter before 3.9 spreads it always."""
    x, y = (torch.randn(16, generator=generator(seed)) for seed in (0, 1))
    x[[1, 5, 9]], y[[2, 5]] = torch.nan, torch.nan
    x[7], y[8] = torch.inf, -torch.inf
    o = torch.zeros(5, 16)
    with intercept():
        kernels.nan_kernel[(1,)](x, y, o, BLOCK=16)
    expected = torch.stack(
        (
            torch.fmax(x, y),
            torch.maximum(x, y),
            (x < y).float() + 2 * (x != x) + 4 * (x >= y) + 8 * (x != y),
            torch.fmin(torch.fmax(x, torch.tensor(-1.0)), torch.tensor(1.0)),
            torch.fmin(x, y) + torch.inf,
        )
    )
    torch.testing.assert_close(o, expected, rtol=0, atol=0, equal_nan=True)


def test_that_the_address_of_a_pointer_is_its_number() -> None:
    x, o = torch.zeros(16), torch.empty(16, dtype=torch.int64)
    with intercept():
        kernels.address_kernel[(1,)](x, o, BLOCK=16)
    assert o.tolist() == [x.data_ptr() + 4 * i for i in range(16)]
