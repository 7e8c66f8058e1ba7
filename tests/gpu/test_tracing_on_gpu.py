import pytest
import torch

from core.interpreter import intercept
from kernels.attention import Impl, attention
from tests.kernels.oracle import DTYPES, Shape, assert_as_exact_as_torch, random_qkv
from tests.pairwise import pairwise

pytestmark = pytest.mark.gpu


@pairwise(impl=[Impl.TRITON_FLASH, Impl.TRITON_STANDARD], dtype=DTYPES, causal=[False, True])
def test_that_the_traced_kernel_equals_the_compiled_one(impl: Impl, dtype: torch.dtype, causal: bool) -> None:
    shape = Shape(1, 4, 2, 333, 500, 64)
    q, k, v = random_qkv(shape, dtype, "cuda")

    compiled = attention(q, k, v, impl=impl, causal=causal, block_q=64, block_kv=64)
    with intercept() as tracer:
        traced = attention(q, k, v, impl=impl, causal=causal, block_q=64, block_kv=64)

    assert tracer.launches
    assert traced.out.device == q.device
    assert_as_exact_as_torch(traced, q, k, v, causal=causal)
    step = torch.finfo(dtype).eps
    torch.testing.assert_close(traced.out, compiled.out, rtol=8 * step, atol=8 * step)
