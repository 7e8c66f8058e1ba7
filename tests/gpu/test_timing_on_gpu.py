import pytest
import torch

from core.hardware.timing import Candidate, check_against, measure
from kernels.attention import Impl, attention
from tests.kernels.oracle import Shape, random_qkv

pytestmark = pytest.mark.gpu


def test_that_standard_attention_takes_the_memory_of_its_scores_and_flash_does_not() -> None:
    shape = Shape(1, 8, 8, 2048, 2048, 64)
    q, k, v = random_qkv(shape, torch.bfloat16, "cuda")
    exact = attention(q, k, v, impl=Impl.REFERENCE, causal=True).out
    candidates = [
        Candidate(
            impl.value,
            lambda impl=impl: attention(q, k, v, impl=impl, causal=True),
            check_against(attention(q, k, v, impl=impl, causal=True).out, exact, allowed_rms_error=1e-2),
        )
        for impl in (Impl.TRITON_STANDARD, Impl.TRITON_FLASH)
    ]

    timings = measure(candidates, "cuda", rounds=5).timings

    score_bytes = shape.heads * shape.query_len * shape.key_len * 2
    standard, flash = (timings[candidate.name] for candidate in candidates)
    assert standard.peak_memory_bytes is not None
    assert flash.peak_memory_bytes is not None
    assert standard.peak_memory_bytes >= 2 * score_bytes
    assert flash.peak_memory_bytes < score_bytes
    assert 0 < flash.median_ms < 50
    assert flash.samples_ms.shape == (5,)


def test_that_a_matmul_takes_its_time_and_not_that_of_its_launch() -> None:
    x = torch.randn(4096, 4096, device="cuda", dtype=torch.bfloat16)
    exact = x.double() @ x.double()
    candidate = Candidate("matmul", lambda: x @ x, check_against(x @ x, exact, allowed_rms_error=1.0))

    timing = measure([candidate], "cuda", rounds=10).timings["matmul"]

    tflops = 2 * 4096**3 / (timing.median_ms * 1e-3) / 1e12
    assert 1 < tflops < 5000
