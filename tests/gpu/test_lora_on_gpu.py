import pytest
import torch

from kernels.input_checks import DTYPES
from kernels.lora.api import Down, Impl, available, update_importance
from tests.kernels.lora_cases import (
    LoraShape,
    assert_as_exact_as_torch,
    exact,
    in_nf4,
    lora_inputs,
    product,
    with_gradients,
)
from tests.kernels.oracle import rms
from tests.pairwise import pairwise

pytestmark = pytest.mark.gpu

SHAPES = (
    LoraShape(63, 1000, 1030, 5),
    LoraShape(512, 1024, 768, 16),
    LoraShape(1, 63, 1000, 64),
    LoraShape(1000, 4096, 4096, 33),
)

needs_peft = pytest.mark.skipif(available(Impl.PEFT, "cpu") is not None, reason="peft is not installed here")


@pairwise(shape=SHAPES, dtype=DTYPES, down=Down)
def test_that_the_compiled_product_and_its_gradients_are_as_exact_as_torch(
    shape: LoraShape, dtype: torch.dtype, down: Down
) -> None:
    inputs = lora_inputs(shape, dtype, device="cuda")

    assert_as_exact_as_torch(inputs, with_gradients(inputs, Impl.TRITON, down))


@pairwise(
    blocked=[(LoraShape(63, 192, 130, 5), 64), (LoraShape(512, 1024, 768, 16), 64), (LoraShape(5, 4096, 63, 64), 4096)],
    dtype=DTYPES,
    down=Down,
    nested_block=[0, 256],
)
def test_that_the_compiled_nf4_product_and_its_gradients_are_as_exact_as_torch(
    blocked: tuple[LoraShape, int], dtype: torch.dtype, down: Down, nested_block: int
) -> None:
    shape, block_size = blocked
    inputs = in_nf4(lora_inputs(shape, dtype, device="cuda"), block_size, nested_block)

    assert_as_exact_as_torch(inputs, with_gradients(inputs, Impl.TRITON, down))


@pytest.mark.parametrize("down", Down)
@pytest.mark.parametrize("rank", [1, 8, 16, 64])
def test_that_the_benchmarks_shape_is_right(rank: int, down: Down) -> None:
    inputs = lora_inputs(LoraShape(8192, 4096, 4096, rank), torch.bfloat16, device="cuda")

    assert_as_exact_as_torch(inputs, with_gradients(inputs, Impl.TRITON, down))


@needs_peft
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_that_pefts_own_layer_on_the_gpu_gives_the_same_within_its_rounding(dtype: torch.dtype) -> None:
    inputs = lora_inputs(LoraShape(500, 1024, 768, 16), dtype, device="cuda")

    assert_as_exact_as_torch(inputs, with_gradients(inputs, Impl.TRITON), peer=Impl.PEFT)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_that_the_unfused_kernels_give_the_same_within_their_rounding(dtype: torch.dtype) -> None:
    inputs = lora_inputs(LoraShape(500, 1000, 770, 16), dtype, device="cuda")
    expected = exact(inputs)["y"]

    ours = product(inputs, Impl.TRITON_UNFUSED)

    assert rms(ours - expected) <= 2 * torch.finfo(dtype).eps * rms(expected)


def test_that_beyond_two_to_the_31_elements_the_last_rows_are_still_right() -> None:
    shape = LoraShape(2**31 // 4096 + 130, 4096, 32, 4)
    inputs = lora_inputs(LoraShape(130, *list(vars(shape).values())[1:]), torch.bfloat16, device="cuda")
    x = torch.zeros(shape.rows, shape.in_features, dtype=torch.bfloat16, device="cuda")
    x[-130:] = inputs.x

    long = product(type(inputs)(x, inputs.weight, inputs.a, inputs.b, inputs.dy, inputs.scaling), Impl.TRITON)

    assert torch.equal(long[-130:], product(inputs, Impl.TRITON))
    assert not long[:-130].any()


def test_that_gradients_are_the_same_bits_every_time() -> None:
    inputs = lora_inputs(LoraShape(8192, 1024, 1024, 16), torch.bfloat16, device="cuda")

    first, second = with_gradients(inputs, Impl.TRITON), with_gradients(inputs, Impl.TRITON)

    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_that_the_compiled_importance_update_gives_the_bits_of_torch(dtype: torch.dtype) -> None:
    generator = torch.Generator(device="cuda").manual_seed(0)
    tensors = [torch.randn(1_000_003, generator=generator, device="cuda").to(dtype) for _ in range(4)]
    updated = []
    for impl in (Impl.TRITON, Impl.TORCH):
        values, gradients, sensitivity, uncertainty = (tensor.clone() for tensor in tensors)
        update_importance(values, gradients, sensitivity.abs_(), uncertainty.abs_(), beta1=0.85, beta2=0.85, impl=impl)
        updated.append((sensitivity, uncertainty))

    # torch's own kernels may fuse a product with the sum that follows on a GPU: add_ of a scaled tensor does not.
    for ours, theirs in zip(*updated, strict=True):
        assert torch.equal(ours, theirs)
