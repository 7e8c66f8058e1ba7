import pytest
import torch

from kernels.attention import Impl
from kernels.errors import Unavailable
from tests.kernels.mask_cases import PRESETS, packed
from tests.kernels.oracle import (
    DTYPES,
    Gradients,
    Shape,
    assert_gradients_as_exact_as_torch,
    causal_gradients,
    random_gradient,
    random_qkv,
    sparse_gradients,
)
from tests.pairwise import pairwise

pytestmark = pytest.mark.gpu

TRITON_IMPLS = (Impl.TRITON_FLASH, Impl.TRITON_STANDARD)
SHAPES = (
    Shape(2, 4, 4, 1024, 1024, 64),
    Shape(1, 8, 2, 2048, 2048, 128),
    Shape(1, 4, 1, 1000, 2001, 128),
    Shape(2, 4, 2, 2001, 1000, 64),
    Shape(3, 6, 2, 63, 63, 32),
    Shape(1, 8, 4, 1, 4099, 128),
)
GIB = 1 << 30


@pairwise(impl=TRITON_IMPLS, shape=SHAPES, dtype=DTYPES, causal=[False, True])
def test_that_the_compiled_gradients_are_as_exact_as_torchs(
    impl: Impl, shape: Shape, dtype: torch.dtype, causal: bool
) -> None:
    qkv, dout = random_qkv(shape, dtype, "cuda"), random_gradient(shape, dtype, "cuda")

    ours = causal_gradients(qkv, dout, impl=impl, causal=causal)

    assert_gradients_as_exact_as_torch(ours, *qkv, dout, mask=causal)


@pytest.mark.parametrize("block_kv", [16, 32, 64])
@pytest.mark.parametrize("block_q", [16, 32, 64, 128])
def test_that_every_tile_size_gives_the_same_gradients(block_q: int, block_kv: int) -> None:
    shape = Shape(1, 4, 2, 333, 500, 64)
    qkv, dout = random_qkv(shape, torch.bfloat16, "cuda"), random_gradient(shape, torch.bfloat16, "cuda")

    ours = causal_gradients(qkv, dout, impl=Impl.TRITON_FLASH, causal=True, block_q=block_q, block_kv=block_kv)

    assert_gradients_as_exact_as_torch(ours, *qkv, dout, mask=True)


@pairwise(
    preset=PRESETS, lengths=[(1024, 1024), (1000, 2001), (2001, 1000), (63, 63)], head_dim=[32, 64, 128], dtype=DTYPES
)
def test_that_the_compiled_gradients_under_a_mask_are_as_exact_as_torchs(
    preset: str, lengths: tuple[int, int], head_dim: int, dtype: torch.dtype
) -> None:
    mask, shape = PRESETS[preset](*lengths), Shape(2, 4, 2, *lengths, head_dim)
    qkv, dout = random_qkv(shape, dtype, "cuda"), random_gradient(shape, dtype, "cuda")

    ours = sparse_gradients(qkv, dout, mask)

    assert_gradients_as_exact_as_torch(ours, *qkv, dout, mask=mask)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_that_two_runs_give_the_same_bits(dtype: torch.dtype) -> None:
    shape = Shape(1, 8, 2, 2000, 2000, 128)
    qkv, dout = random_qkv(shape, dtype, "cuda"), random_gradient(shape, dtype, "cuda")

    def sparse() -> Gradients:
        return sparse_gradients(qkv, dout, packed(2000, 2000))

    for run in (lambda: causal_gradients(qkv, dout, impl=Impl.TRITON_FLASH, causal=True), sparse):
        first, second = run(), run()
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_that_gradients_of_tensors_of_more_than_two_to_the_31_elements_are_addressed() -> None:
    if torch.cuda.mem_get_info()[0] < 12 * GIB:
        pytest.skip("needs 12 GiB of GPU memory")
    storage = torch.zeros((1 << 31) + (1 << 20), dtype=torch.float16, device="cuda")
    far = storage.as_strided((2, 2, 130, 64), (1 << 31, 1 << 14, 64, 1))
    far.normal_()
    dout = random_gradient(Shape(2, 2, 2, 130, 130, 64), torch.float16, "cuda")

    ours = causal_gradients((far, far, far), dout, impl=Impl.TRITON_FLASH, causal=True)

    assert_gradients_as_exact_as_torch(ours, far, far, far, dout, mask=True)


@pytest.mark.parametrize("impl", [Impl.SDPA_FLASH, Impl.SDPA_CUDNN, Impl.SDPA_EFFICIENT])
def test_that_pytorchs_gradients_agree(impl: Impl) -> None:
    shape = Shape(2, 8, 8, 512, 512, 128)
    qkv, dout = random_qkv(shape, torch.bfloat16, "cuda"), random_gradient(shape, torch.bfloat16, "cuda")

    try:
        theirs = causal_gradients(qkv, dout, impl=impl, causal=True)
    except Unavailable as error:
        pytest.skip(str(error))

    assert_gradients_as_exact_as_torch(theirs, *qkv, dout, mask=True)
