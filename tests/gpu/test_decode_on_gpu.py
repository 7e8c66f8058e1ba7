from typing import Any

import pytest
import torch

from kernels.attention.decode import DecodeImpl
from tests.kernels.decode_cases import FP8, DecodeCase, DecodeProblem
from tests.pairwise import pairwise

pytestmark = pytest.mark.gpu

TRITON = DecodeImpl.TRITON
GIB = 1 << 30
SINKS = torch.linspace(-2, 3, 28)
OPTIONS: dict[str, dict[str, Any]] = {
    "all": {},
    "window": {"window": 1000},
    "sink-tokens": {"window": 1000, "sink_tokens": 4},
    "sink-logits": {"sink_logits": SINKS},
}


def on_gpu(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value.cuda() if isinstance(value, torch.Tensor) else value for name, value in options.items()}


@pairwise(
    kv_heads=[1, 2, 4, 28],
    query_len=[1, 2, 16],
    head_dim=[64, 96, 128, 256],
    dtype=[torch.float32, torch.float16, torch.bfloat16],
    page_size=[0, 16, 64, 256],
    what=list(OPTIONS),
    splits=[None, 1, 7, 128],
)
def test_that_the_compiled_kernels_are_as_exact_as_torch(
    kv_heads: int, query_len: int, head_dim: int, dtype: torch.dtype, page_size: int, what: str, splits: int | None
) -> None:
    case = DecodeCase(
        5000, (5000, 0, 1, 4097), 4, kv_heads, 28 // kv_heads, query_len, head_dim, dtype=dtype, page_size=page_size,
        options=on_gpu(OPTIONS[what]),
    )  # fmt: skip
    problem = DecodeProblem(case, "cuda")

    problem.assert_as_exact_as_torch(problem.call(TRITON, splits=splits))


@pytest.mark.parametrize("page_size", [0, 16, 128])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_that_an_8_bit_cache_is_scaled(dtype: torch.dtype, page_size: int) -> None:
    if torch.version.hip is None and torch.cuda.get_device_capability() < (8, 9):
        pytest.skip("needs 8-bit floats")
    scales = torch.tensor([0.5, 1.7], device="cuda")
    options = {"k_scale": scales, "v_scale": scales * 0.3}
    problem = DecodeProblem(DecodeCase(5000, dtype=dtype, kv_dtype=FP8, page_size=page_size, options=options), "cuda")

    problem.assert_as_exact_as_torch(problem.call(TRITON))


@pytest.mark.parametrize("heads", [16, 128])
@pytest.mark.parametrize("page_size", [0, 64])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_that_a_latent_cache_of_512_and_64_columns_serves_as_k_and_v(
    dtype: torch.dtype, page_size: int, heads: int
) -> None:
    case = DecodeCase(
        3000, (3000, 17), 2, kv_heads=1, group=heads, key_dim=576, value_dim=512, dtype=dtype, page_size=page_size,
        latent=True,
    )  # fmt: skip
    problem = DecodeProblem(case, "cuda")

    problem.assert_as_exact_as_torch(problem.call(TRITON))


def test_that_a_wrong_length_reads_nothing_outside_the_cache() -> None:
    problem = DecodeProblem(DecodeCase(300, (300, 0), 2), "cuda")
    right = problem.call(TRITON).out

    wrong = problem.call(TRITON, lengths=torch.tensor([1 << 30, -5], dtype=torch.int32, device="cuda")).out

    assert torch.equal(wrong, right)


@pytest.mark.parametrize("page_size", [0, 64])
def test_that_caches_of_more_than_two_to_the_31_elements_are_addressed(page_size: int) -> None:
    if torch.cuda.mem_get_info()[0] < 14 * GIB:
        pytest.skip("needs 14 GiB of GPU memory")
    keys, rows = 1000, (1 << 31) // 128 + 4096
    storage = torch.zeros(rows, 128, dtype=torch.float16, device="cuda")
    far = storage[-1024:].normal_()
    table = None
    if page_size:
        cache = storage.reshape(-1, page_size, 1, 128)
        table = torch.arange(len(cache) - 1024 // page_size, len(cache), dtype=torch.int32, device="cuda")[None]
    else:
        cache = far.reshape(1, 1, 1024, 128)
    q = torch.randn(1, 8, 1, 128, dtype=torch.float16, device="cuda")
    lengths = torch.tensor([keys], dtype=torch.int32, device="cuda")
    problem = DecodeProblem(DecodeCase(group=8, kv_heads=1, key_dim=128, dtype=torch.float16), "cuda")
    problem.q, problem.caches, problem.options = q, [cache, cache], {"lengths": lengths, "block_table": table}
    if not page_size:
        problem.caches = [storage.as_strided((2, 1, 1024, 128), ((rows - 1024) * 128, 1, 128, 1))] * 2
        problem.q, problem.options["lengths"] = q.expand(2, -1, -1, -1), lengths.expand(2).contiguous()

    ours = problem.call(TRITON)

    if page_size:  # the reference gathers only what the table names
        problem.assert_as_exact_as_torch(ours)
    else:
        problem.caches = [cache] * 2
        problem.q, problem.options["lengths"] = q, lengths
        torch.testing.assert_close(ours.out[1:].double(), problem.call(DecodeImpl.REFERENCE).out, rtol=1e-2, atol=1e-3)
