import pytest

from core.contracts.errors import UnknownName
from core.hardware.gpus import GPU_IDS, Gpu, gpu, gpus

FP32_LANES = {"sm_80": 64, "sm_89": 128, "sm_90": 128, "sm_100": 128, "gfx942": 128}
"""fp32 multiply-adds per clock of one SM or CU."""


def test_that_the_gpus_of_the_pages_are_known() -> None:
    assert {"a100-40gb", "a100-80gb", "h100-sxm", "h200", "b200", "rtx-4090", "mi300x"} <= set(GPU_IDS)


def test_that_an_unknown_gpu_is_named_with_those_that_exist() -> None:
    with pytest.raises(UnknownName, match=r"no GPU 'v1000'.*a100-40gb"):
        gpu("v1000")


@pytest.mark.parametrize("known", gpus().values(), ids=GPU_IDS)
def test_that_every_fact_is_plausible(known: Gpu) -> None:
    assert known.vendor in ("nvidia", "amd")
    assert known.target.startswith({"nvidia": "sm_", "amd": "gfx"}[known.vendor])
    assert 8 <= known.memory_gb <= 300
    assert 500 <= known.hbm_bandwidth_gb_s <= 10_000
    assert 16 <= known.sms <= 400
    assert known.shared_memory_per_block_kb <= known.sram_per_sm_kb <= 256
    assert known.shared_memory_per_block_kb >= 48
    assert 1000 <= known.clock_mhz <= 3000
    assert 4 <= known.l2_mb <= 256
    assert len(str(known.source)) > 20


@pytest.mark.parametrize("known", gpus().values(), ids=GPU_IDS)
def test_that_the_fp32_peak_is_what_lanes_and_clock_give(known: Gpu) -> None:
    by_hand = known.sms * FP32_LANES[known.target] * 2 * known.clock_mhz * 1e6 / 1e12

    assert known.tflops["fp32"] == pytest.approx(by_hand, rel=0.02)


@pytest.mark.parametrize("known", gpus().values(), ids=GPU_IDS)
def test_that_narrower_types_are_never_slower(known: Gpu) -> None:
    peaks = known.tflops

    assert peaks["fp32"] <= peaks["tf32"] < peaks["fp16"]
    assert peaks["fp16"] == peaks["bf16"]
    assert peaks.get("fp8", peaks["fp16"]) in (peaks["fp16"], pytest.approx(2 * peaks["fp16"], rel=0.01))


def test_that_the_a100_has_the_sram_of_the_flash_attention_paper() -> None:
    a100 = gpu("a100-40gb")

    assert 19 <= a100.sram_bandwidth_tb_s <= 20
    assert a100.sram_bytes == pytest.approx(20.7e6, rel=0.03)
    assert a100.shared_memory_per_block_bytes == 163 * 1024


@pytest.mark.parametrize("known", gpus().values(), ids=GPU_IDS)
def test_that_sram_is_faster_and_smaller_than_memory(known: Gpu) -> None:
    assert known.sram_bandwidth_tb_s * 1e3 > 4 * known.hbm_bandwidth_gb_s
    assert known.sram_bytes < known.memory_gb * 1e9 / 100
