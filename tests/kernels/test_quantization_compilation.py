import pytest
import torch

pytest.importorskip("triton", reason="Triton is not installed here")

from core.hardware.gpus import gpus
from kernels.quantization.api import MatmulPath, Quantized, dequantize, matmul, quantize
from kernels.quantization.formats import FORMATS, FormatId
from tests.kernels.compiled import Compiled, accesses, compile_for, launches_of
from tests.kernels.conftest import INTERPRETED

SHARED_BYTES = {gpu.target: gpu.shared_memory_per_block_bytes for gpu in gpus().values()}
NVIDIA = ("sm_80", "sm_90", "sm_100")
TARGETS = (*NVIDIA, "gfx942")

pytestmark = pytest.mark.skipif(INTERPRETED, reason="interpreted kernels are not compiled")


def on_meta(*shape: int, dtype: torch.dtype = torch.bfloat16) -> torch.Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


def compile_quantize(
    monkeypatch: pytest.MonkeyPatch, target: str, name: FormatId = FormatId.NF4, block_size: int = 64, nested: int = 0
) -> tuple[Quantized, list[Compiled]]:
    quantized: list[Quantized] = []
    launches = launches_of(
        monkeypatch,
        lambda: quantized.append(
            quantize(on_meta(4096, 4096), format=name, block_size=block_size, nested_block=nested)
        ),
    )
    return quantized[0], [compile_for(launch, target) for launch in launches]


def quantized_on_meta(monkeypatch: pytest.MonkeyPatch, columns: int = 4096, nested: int = 0) -> Quantized:
    quantized: list[Quantized] = []
    launches_of(monkeypatch, lambda: quantized.append(quantize(on_meta(4096, columns), nested_block=nested)))
    return quantized[0]


def compile_product(
    monkeypatch: pytest.MonkeyPatch, target: str, rows: int, path: MatmulPath, columns: int = 4096, nested: int = 0
) -> Compiled:
    quantized, x = quantized_on_meta(monkeypatch, columns, nested), on_meta(rows, columns)
    (launch,) = launches_of(monkeypatch, lambda: matmul(x, quantized, path=path))
    return compile_for(launch, target)


@pytest.mark.parametrize(
    ("name", "block_size", "nested", "target"),
    [
        *((FormatId.NF4, 64, 256, target) for target in TARGETS),
        (FormatId.FP4_E2M1, 16, 0, "sm_80"),
        (FormatId.INT4_AFFINE, 64, 0, "gfx942"),
        (FormatId.INT8, 4096, 0, "sm_90"),
    ],
)
def test_that_quantize_and_dequantize_compile_without_a_gpu_fit_and_do_not_spill(
    name: FormatId, block_size: int, nested: int, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantized, compiled = compile_quantize(monkeypatch, target, name, block_size, nested)
    (launch,) = launches_of(monkeypatch, lambda: dequantize(quantized))
    compiled.append(compile_for(launch, target))

    assert [kernel.name for kernel in compiled] == ["quantize_kernel"] * (1 + bool(nested)) + ["dequantize_kernel"]
    for kernel in compiled:
        assert kernel.shared_bytes <= SHARED_BYTES[target]
        assert not kernel.spilled


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("rows", "path"), [(1, MatmulPath.GEMV), (16, MatmulPath.FUSED), (128, MatmulPath.FUSED)])
def test_that_products_compile_without_a_gpu_fit_and_do_not_spill(
    rows: int, path: MatmulPath, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = compile_product(monkeypatch, target, rows, path, nested=256)

    assert kernel.name == ("gemv_kernel" if path is MatmulPath.GEMV else "fused_matmul_kernel")
    assert 0 < kernel.shared_bytes <= SHARED_BYTES[target]
    assert not kernel.spilled


@pytest.mark.parametrize("target", NVIDIA)
def test_that_quantize_reads_weights_128_bits_at_a_time(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, (kernel,) = compile_quantize(monkeypatch, target)

    # 4096 weights per program of 256 threads: 16 per thread, two reads in a whole tile and two in the masked last one.
    assert accesses(kernel)[("ld", 128)] == 4
    assert accesses(kernel)[("st", 64)] == 1  # 16 codes, in the whole tile


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("name", FORMATS)
def test_that_dequantize_stores_128_bits_at_a_time_and_exchanges_nothing_but_levels(
    name: FormatId, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    quantized, _ = compile_quantize(monkeypatch, "sm_90", name)
    (launch,) = launches_of(monkeypatch, lambda: dequantize(quantized, dtype=dtype))

    kernel = compile_for(launch, "sm_90")

    counts = accesses(kernel)
    assert {bits for what, bits in counts if what == "st"} == {128}
    assert counts[("st", 128)] == 8  # four in a whole tile, four under the last one's mask
    code_bits = FORMATS[name].bits * 16 // dtype.itemsize
    assert counts[("ld", code_bits)] >= 4  # as wide as the codes of one store are
    levels_bytes = 0 if FORMATS[name].affine else 4 * 2 ** FORMATS[name].bits
    assert kernel.shared_bytes == levels_bytes


@pytest.mark.parametrize("columns", [4096, 4160])
@pytest.mark.parametrize("target", NVIDIA)
def test_that_gemv_reads_codes_and_x_128_bits_at_a_time(
    target: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = compile_product(monkeypatch, target, 1, MatmulPath.GEMV, columns)

    # Four rows and four parts of x per thread; scales (four) and levels are 32 bits each.
    assert accesses(kernel) == {("ld", 128): 8, ("ld", 32): 5, ("st", 16): 1}


@pytest.mark.parametrize("columns", [4096, 4160])
def test_that_the_fused_product_copies_codes_and_x_128_bits_at_a_time(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = compile_product(monkeypatch, "sm_90", 128, MatmulPath.FUSED, columns)

    counts = accesses(kernel)
    assert counts[("cp", 128)] > counts[("cp", 32)] > 0  # the 32-bit ones are scales
    assert {what for what, bits in counts if bits != 128} <= {"cp", "ld"}
    assert "wgmma.mma_async" in kernel.asm["ptx"]


def test_that_nothing_is_contracted_where_bits_have_to_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fused multiply-add rounds once where bitsandbytes, torch and the tracer round twice."""
    quantized, compiled = compile_quantize(monkeypatch, "sm_90", nested=256)
    (launch,) = launches_of(monkeypatch, lambda: dequantize(quantized, dtype=torch.float32))
    kernel = compile_for(launch, "sm_90")

    assert "fma.rn" not in kernel.asm["ptx"]
    assert all("fma.rn" not in quantized.asm["ptx"] for quantized in compiled)
