import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contracts.errors import UnknownName
from core.hardware.gpus import GPU_IDS, gpu
from core.hardware.roofline import attainable_tflops, peak_dtype, peak_tflops, ridge_point, roofline

A100 = gpu("a100-40gb")


def test_that_the_a100_ridge_is_near_200_flops_per_byte() -> None:
    assert ridge_point(A100, "fp16") == pytest.approx(312e12 / 1555e9)


def test_that_a_kernel_left_of_the_ridge_is_memory_bound() -> None:
    bound = roofline(flops=1e9, hbm_bytes=1e9, gpu=A100, dtype="bf16")

    assert bound.bound == "memory"
    assert bound.time_ms == pytest.approx(1e9 / 1555e9 * 1e3)
    assert bound.attainable_tflops == pytest.approx(1.555)


def test_that_a_kernel_right_of_the_ridge_reaches_the_peak() -> None:
    bound = roofline(flops=1e15, hbm_bytes=1e9, gpu=A100, dtype="bf16")

    assert bound.bound == "compute"
    assert bound.attainable_tflops == pytest.approx(312)


def test_that_an_unknown_dtype_is_named_with_those_that_exist() -> None:
    with pytest.raises(UnknownName, match=r"'int3' on the NVIDIA A100 40GB is unknown: use one of fp32"):
        peak_tflops(A100, "int3")


@given(
    gpu_id=st.sampled_from(GPU_IDS),
    dtype=st.sampled_from(["fp32", "fp16", "bf16"]),
    flops=st.floats(1e3, 1e18),
    hbm_bytes=st.floats(1e3, 1e15),
)
def test_that_a_kernel_and_the_roofline_agree_at_its_intensity(
    gpu_id: str, dtype: str, flops: float, hbm_bytes: float
) -> None:
    known = gpu(gpu_id)
    bound = roofline(flops, hbm_bytes, known, dtype)

    assert bound.attainable_tflops == pytest.approx(attainable_tflops(known, dtype, bound.intensity_flops_per_byte))
    assert bound.time_ms == max(bound.compute_ms, bound.memory_ms)
    assert bound.ridge_flops_per_byte == pytest.approx(ridge_point(known, dtype))


def test_that_a_precision_without_a_peak_of_its_own_has_that_of_fp32() -> None:
    assert (peak_dtype(A100, "bf16"), peak_dtype(A100, "int3")) == ("bf16", "fp32")
