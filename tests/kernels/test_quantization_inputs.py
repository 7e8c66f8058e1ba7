import subprocess
import sys

import numpy as np
import pytest
import torch

from kernels.errors import InvalidInputs, Unavailable
from kernels.quantization import impl as impls
from kernels.quantization.api import Impl, MatmulPath, available, dequantize, gemv, matmul, quantize
from kernels.quantization.formats import FORMATS, FormatId, float_levels, normal_float_levels
from kernels.quantization.tables import tables
from tests.kernels.conftest import INTERPRETED

WEIGHT = torch.ones(4, 128)


@pytest.mark.parametrize(
    ("weight", "options", "sentence"),
    [
        (torch.ones(4, dtype=torch.int8), {}, "must be float32, float16 or bfloat16, not torch.int8"),
        (torch.ones(4, 0), {}, r"shape \[4, 0\] has no weights to quantize"),
        (WEIGHT, {"block_size": 48}, "block_size must be one of 16, 32, .*, 4096, not 48"),
        (WEIGHT, {"nested_block": 8}, "nested_block must be 0 .* not 8"),
        (WEIGHT, {"nested_block": 64, "format": FormatId.INT4_AFFINE}, "not defined: use nested_block 0"),
        (
            WEIGHT,
            {"impl": Impl.BITSANDBYTES, "format": FormatId.INT8},
            "bitsandbytes supports NF4 and FP4 E2M1, not INT8",
        ),
        (WEIGHT, {"impl": Impl.BITSANDBYTES, "block_size": 16}, "blocks of 32 to 4096 weights, not of 16"),
        (WEIGHT, {"impl": Impl.BITSANDBYTES, "nested_block": 64}, "only in blocks of 256, not of 64"),
    ],
)
def test_that_what_cannot_be_quantized_gets_one_sentence(
    weight: torch.Tensor, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(InvalidInputs, match=sentence):
        quantize(weight, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("x", "options", "sentence"),
    [
        (torch.ones(2, 64), {}, r"x \[2, 64\] and weights \[4, 128\] do not fit"),
        (torch.ones(128), {}, r"x \[128\] and weights \[4, 128\] do not fit"),
        (torch.ones(0, 128), {}, "x has no rows"),
        (torch.ones(2, 128, dtype=torch.float64), {}, "x must be float32, float16 or bfloat16, not torch.float64"),
        (torch.ones(2, 128, device="meta"), {}, "x is on meta and the weights are on cpu"),
        (torch.ones(2, 128), {"path": MatmulPath.GEMV}, "gemv multiplies one row, and x has 2"),
    ],
)
def test_that_what_cannot_be_multiplied_gets_one_sentence(
    x: torch.Tensor, options: dict[str, MatmulPath], sentence: str
) -> None:
    quantized = quantize(WEIGHT, impl=Impl.TORCH)

    with pytest.raises(InvalidInputs, match=sentence):
        matmul(x, quantized, **options)


@pytest.mark.parametrize(
    ("weight", "name", "sentence"),
    [
        (WEIGHT, FormatId.INT8, "INT8 cannot be multiplied as stored"),
        (WEIGHT, FormatId.INT4_AFFINE, "INT4 affine cannot be multiplied as stored"),
        (torch.ones(4, 96), FormatId.NF4, "Rows of 96 weights do not consist of whole blocks of 64"),
    ],
)
def test_that_weights_the_fused_kernels_cannot_read_get_one_sentence(
    weight: torch.Tensor, name: FormatId, sentence: str
) -> None:
    quantized = quantize(weight, format=name, impl=Impl.TORCH)

    for rows, path in ((1, MatmulPath.GEMV), (2, MatmulPath.FUSED)):
        with pytest.raises(InvalidInputs, match=sentence):
            matmul(torch.ones(rows, weight.shape[1]), quantized, path=path)


def test_that_weights_are_restored_to_floats_only() -> None:
    with pytest.raises(InvalidInputs, match=r"not to torch\.int8"):
        dequantize(quantize(WEIGHT, impl=Impl.TORCH), dtype=torch.int8)


@pytest.mark.skipif(torch.cuda.is_available() or INTERPRETED, reason="Triton's kernels run here")
def test_that_triton_on_a_cpu_says_why_it_cannot_run_and_nothing_else_runs() -> None:
    quantized = quantize(WEIGHT, impl=Impl.TORCH)

    for call in (
        lambda: quantize(WEIGHT),
        lambda: dequantize(quantized),
        lambda: gemv(torch.ones(1, 128), quantized),
        lambda: matmul(torch.ones(2, 128), quantized),
    ):
        with pytest.raises(Unavailable, match="Triton compiles for GPUs"):
            call()


def test_that_without_bitsandbytes_one_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impls.importlib.util, "find_spec", lambda name: None)

    assert str(available(Impl.BITSANDBYTES, "cpu")) == "bitsandbytes is not installed here: pip install bitsandbytes."
    with pytest.raises(Unavailable, match="bitsandbytes is not installed here"):
        quantize(WEIGHT, impl=Impl.BITSANDBYTES)


def test_that_formats_and_tables_need_neither_torch_nor_triton() -> None:
    code = (
        "import sys, kernels.quantization.formats, kernels.quantization.tables;"
        "sys.exit(any(name in sys.modules for name in ('torch', 'triton')))"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_that_nf4_follows_from_its_definition() -> None:
    derived, published = normal_float_levels(), FORMATS[FormatId.NF4].levels

    assert np.abs(derived - published).max() < 2.5e-7
    assert derived[7] == published[7] == 0
    assert (derived[0], derived[-1]) == (published[0], published[-1]) == (-1, 1)


def test_that_small_floats_follow_from_their_bits() -> None:
    ocp = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6]) / 6
    assert np.array_equal(float_levels(2, 1)[7:], ocp)
    ours = FORMATS[FormatId.FP4_E2M1].levels[7:]
    assert np.array_equal(np.delete(ours, 1), np.delete(ocp, 1))  # bitsandbytes has another subnormal
    assert np.array_equal(FORMATS[FormatId.FP4_E3M0].levels[7:], [0, *(2.0 ** np.arange(-6, 1))])


@pytest.mark.parametrize("name", FORMATS)
def test_that_boundaries_ascend_and_levels_are_those_of_the_format(name: FormatId) -> None:
    code_tables, levels = tables(name), FORMATS[name].levels.astype(np.float32)
    boundaries = code_tables.boundaries[np.isfinite(code_tables.boundaries)]

    assert (np.diff(boundaries) > 0).all()
    assert len(code_tables.boundaries) == len(code_tables.levels) == 2**code_tables.bits
    assert set(levels) <= set(code_tables.levels)
    assert code_tables.order is None or sorted(code_tables.order >> 4 * place & 15 for place in range(16)) == list(
        range(16)
    )
