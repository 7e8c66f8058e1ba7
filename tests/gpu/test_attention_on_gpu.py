import pytest
import torch

from kernels.attention import Impl, attention
from kernels.attention.tiling import Copies
from kernels.errors import Unavailable
from tests.kernels.oracle import DTYPES, Shape, assert_as_exact_as_torch, random_qkv
from tests.pairwise import pairwise

pytestmark = pytest.mark.gpu

TRITON_IMPLS = (Impl.TRITON_FLASH, Impl.TRITON_STANDARD)
SHAPES = (
    Shape(2, 8, 8, 2048, 2048, 64),
    Shape(1, 16, 4, 4096, 4096, 128),
    Shape(1, 8, 1, 1000, 3001, 128),
    Shape(2, 4, 2, 3001, 1000, 64),
    Shape(3, 6, 2, 63, 63, 32),
    Shape(1, 32, 8, 1, 8191, 128),
)
GIB = 1 << 30


@pairwise(impl=TRITON_IMPLS, shape=SHAPES, dtype=DTYPES, causal=[False, True])
def test_that_the_compiled_kernel_is_as_exact_as_torch(
    impl: Impl, shape: Shape, dtype: torch.dtype, causal: bool
) -> None:
    q, k, v = random_qkv(shape, dtype, "cuda")

    ours = attention(q, k, v, impl=impl, causal=causal)

    assert_as_exact_as_torch(ours, q, k, v, causal=causal)


@pairwise(impl=TRITON_IMPLS, block_q=[16, 32, 64, 128], block_kv=[16, 32, 64, 128])
def test_that_every_tile_size_gives_the_same_answer(impl: Impl, block_q: int, block_kv: int) -> None:
    q, k, v = random_qkv(Shape(1, 4, 2, 333, 500, 64), torch.bfloat16, "cuda")

    ours = attention(q, k, v, impl=impl, causal=True, block_q=block_q, block_kv=block_kv)

    assert_as_exact_as_torch(ours, q, k, v, causal=True)


@pairwise(shape=SHAPES, dtype=[torch.float16, torch.bfloat16], causal=[False, True])
def test_that_tiles_copied_by_descriptor_give_the_answer_of_pointers(
    shape: Shape, dtype: torch.dtype, causal: bool
) -> None:
    q, k, v = random_qkv(shape, dtype, "cuda")

    described = attention(q, k, v, impl=Impl.TRITON_FLASH, causal=causal)
    by_pointer = attention(q, k, v.mT.contiguous().mT, impl=Impl.TRITON_FLASH, causal=causal)

    assert described.tiling is not None
    assert by_pointer.tiling is not None
    if described.tiling.copies is Copies.POINTERS:
        pytest.skip("this GPU is given pointers")
    assert by_pointer.tiling.copies is Copies.POINTERS
    torch.testing.assert_close(described.out, by_pointer.out)
    torch.testing.assert_close(described.lse, by_pointer.lse)


@pytest.mark.parametrize("impl", TRITON_IMPLS)
def test_that_views_are_read_in_place(impl: Impl) -> None:
    packed = torch.randn(2, 700, 3, 8, 64, device="cuda", dtype=torch.float16)
    q, k, v = (t.transpose(1, 2) for t in packed.unbind(2))
    v = v.mT.contiguous().mT

    ours = attention(q, k, v, impl=impl, causal=True)

    assert_as_exact_as_torch(ours, q, k, v, causal=True)


@pytest.mark.parametrize("impl", TRITON_IMPLS)
def test_that_tensors_of_more_than_two_to_the_31_elements_are_addressed(impl: Impl) -> None:
    if torch.cuda.mem_get_info()[0] < 12 * GIB:
        pytest.skip("needs 12 GiB of GPU memory")
    storage = torch.zeros((1 << 31) + (1 << 20), dtype=torch.float16, device="cuda")
    far = storage.as_strided((2, 2, 130, 64), (1 << 31, 1 << 14, 64, 1))
    far.normal_()

    ours = attention(far, far, far, impl=impl, causal=True)

    assert_as_exact_as_torch(ours, far, far, far, causal=True)


@pairwise(
    shape=[Shape(2, 8, 2, 512, 512, 64), Shape(1, 4, 4, 300, 700, 128)],
    impl=[Impl.TORCH_NAIVE, Impl.SDPA_MATH, Impl.SDPA_FLASH, Impl.SDPA_CUDNN],
    causal=[False, True],
)
def test_that_pytorch_agrees_or_says_why_not(impl: Impl, shape: Shape, causal: bool) -> None:
    q, k, v = random_qkv(shape, torch.bfloat16, "cuda")

    try:
        theirs = attention(q, k, v, impl=impl, causal=causal)
    except Unavailable as error:
        pytest.skip(str(error))

    assert_as_exact_as_torch(theirs, q, k, v, causal=causal)


def test_that_sdpa_says_why_it_declines() -> None:
    q, k, v = random_qkv(Shape(1, 2, 2, 64, 64, 64), torch.float32, "cuda")

    with pytest.raises(Unavailable, match=r"FLASH_ATTENTION backend cannot run here: .*dtype") as raised:
        attention(q, k, v, impl=Impl.SDPA_FLASH, causal=True)

    assert "\n" not in str(raised.value)
