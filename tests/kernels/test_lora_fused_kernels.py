"""The fused products, forward and backward on CPU tensors, against float64: as exact as torch in the same precision."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.errors import Unavailable
from kernels.input_checks import DTYPES
from kernels.lora.api import Down, Impl, lora_linear
from kernels.lora.tiling import choose_down, choose_tiling
from tests.kernels.conftest import INTERPRETED
from tests.kernels.lora_cases import (
    LoraInputs,
    LoraShape,
    assert_as_exact_as_torch,
    assert_within_rounding,
    exact,
    in_nf4,
    lora_inputs,
    product,
    with_gradients,
)
from tests.kernels.oracle import rms
from tests.pairwise import pairwise

pytest.importorskip("triton", reason="Triton is not installed here")
pytestmark = pytest.mark.skipif(INTERPRETED, reason="tracing covers the same")

Emulated = AbstractContextManager[object]

SHAPES = (
    LoraShape(63, 1000, 130, 5),
    LoraShape(256, 128, 256, 16),
    LoraShape(1, 63, 1000, 64),
    LoraShape(130, 17, 3, 1),
)
NF4_SHAPES = (
    (LoraShape(63, 192, 130, 5), 64, 256),
    (LoraShape(128, 128, 128, 16), 64, 0),
    (LoraShape(5, 48, 63, 33), 16, 16),
)


@pairwise(shape=SHAPES, dtype=DTYPES, down=Down)
def test_that_the_fused_product_and_its_gradients_are_as_exact_as_torch(
    shape: LoraShape, dtype: torch.dtype, down: Down, emulated: Emulated
) -> None:
    inputs = lora_inputs(shape, dtype)

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON, down)

    assert_as_exact_as_torch(inputs, ours)


@pairwise(blocked=NF4_SHAPES, dtype=DTYPES, down=Down)
def test_that_the_fused_nf4_product_and_its_gradients_are_as_exact_as_torch(
    blocked: tuple[LoraShape, int, int], dtype: torch.dtype, down: Down, emulated: Emulated
) -> None:
    shape, block_size, nested_block = blocked
    inputs = in_nf4(lora_inputs(shape, dtype), block_size, nested_block)

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON, down)

    assert_as_exact_as_torch(inputs, ours)


@given(
    rows=st.integers(1, 150),
    in_features=st.integers(1, 150),
    out_features=st.integers(1, 150),
    rank=st.integers(1, 64),
    dtype=st.sampled_from(DTYPES),
    down=st.sampled_from([None, *Down]),
    nf4=st.booleans(),
    scaling=st.sampled_from([0.25, 2.0, 16.0]),
)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_any_size_and_rank_is_within_what_rounding_explains(
    rows: int,
    in_features: int,
    out_features: int,
    rank: int,
    dtype: torch.dtype,
    down: Down | None,
    nf4: bool,
    scaling: float,
    new_emulated: Callable[[], Emulated],
) -> None:
    in_features = 16 * (in_features // 16 + 1) if nf4 else in_features
    inputs = lora_inputs(LoraShape(rows, in_features, out_features, rank), dtype, seed=rows, scaling=scaling)
    inputs = in_nf4(inputs, 16, 16) if nf4 else inputs

    with new_emulated():
        ours = with_gradients(inputs, Impl.TRITON, down)

    assert_within_rounding(inputs, ours)


@pytest.mark.parametrize("nf4", [False, True])
def test_that_gradients_are_those_of_finite_differences(nf4: bool, emulated: Emulated) -> None:
    """Of a random sum of outputs along a random direction of all three inputs: an oracle without a chain rule."""
    inputs = lora_inputs(LoraShape(20, 64, 40, 4))
    inputs = in_nf4(inputs) if nf4 else inputs
    generator = torch.Generator().manual_seed(7)
    direction = [torch.randn(t.shape, generator=generator) for t in (inputs.x, inputs.a, inputs.b)]

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON)

    step = 1e-4

    def moved(by: float) -> torch.Tensor:
        x, a, b = (
            tensor.double() + by * along
            for tensor, along in zip((inputs.x, inputs.a, inputs.b), direction, strict=True)
        )
        return exact(LoraInputs(x, inputs.weight, a, b, inputs.dy, inputs.scaling))["y"]

    slope = float(((moved(step) - moved(-step)) / (2 * step) * inputs.dy).sum())
    by_gradients = sum(
        float((ours[name] * along).sum()) for name, along in zip(("dx", "dA", "dB"), direction, strict=True)
    )
    assert by_gradients == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_that_pefts_own_layer_gives_the_same_within_its_rounding(dtype: torch.dtype, emulated: Emulated) -> None:
    inputs = lora_inputs(LoraShape(40, 96, 70, 8), dtype)

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON)

    assert_as_exact_as_torch(inputs, ours, peer=Impl.PEFT, factor=1.5)


def test_that_the_fused_product_rounds_less_than_peft_in_bfloat16(emulated: Emulated) -> None:
    """PEFT rounds the base product, the low-rank one, its scaling and the sum; the fused kernel the sum only."""
    inputs = lora_inputs(LoraShape(256, 256, 256, 16), torch.bfloat16)

    with emulated:
        ours = product(inputs, Impl.TRITON)

    expected = exact(inputs)["y"]
    assert rms(ours - expected) < 0.9 * rms(product(inputs, Impl.PEFT) - expected)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_that_the_unfused_kernels_give_what_pefts_steps_give(dtype: torch.dtype, emulated: Emulated) -> None:
    inputs = lora_inputs(LoraShape(63, 100, 130, 5), dtype)

    with emulated:
        ours = product(inputs, Impl.TRITON_UNFUSED)

    assert_as_exact_as_torch(inputs, {"y": ours}, peer=Impl.PEFT, factor=1.5)


def test_that_b_of_zeros_leaves_the_base_product_and_still_has_a_gradient(emulated: Emulated) -> None:
    inputs = lora_inputs(LoraShape(20, 64, 40, 4))
    inputs = replace(inputs, b=torch.zeros_like(inputs.b))

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON)
        base = product(replace(inputs, a=torch.zeros_like(inputs.a)), Impl.TRITON)

    assert torch.equal(ours["y"], base)
    assert not ours["dA"].any()
    assert ours["dB"].abs().min() > 0


def test_that_long_sums_over_rows_are_cut_into_parts_and_stay_exact(emulated: Emulated) -> None:
    inputs = lora_inputs(LoraShape(2000, 40, 33, 3))

    with emulated:
        ours = with_gradients(inputs, Impl.TRITON)

    assert_as_exact_as_torch(inputs, ours)


def test_that_views_of_any_strides_are_multiplied_as_they_are(emulated: Emulated) -> None:
    whole = lora_inputs(LoraShape(40, 96, 70, 8))
    assert isinstance(whole.weight, torch.Tensor)
    views = replace(
        whole, x=whole.x.T.contiguous().T, weight=whole.weight.repeat(1, 2)[:, :96], a=whole.a.repeat(2, 1)[::2],
        b=whole.b.T.contiguous().T,
    )  # fmt: skip

    with emulated:
        ours = product(views, Impl.TRITON)

    expected = exact(views)["y"]
    assert rms(ours - expected) <= 1e-6 * rms(expected)


@pytest.mark.parametrize("parameter", ["x", "a", "b"])
def test_that_only_the_requested_gradients_are_computed(parameter: str) -> None:
    from core.interpreter import intercept

    inputs = lora_inputs(LoraShape(20, 64, 40, 4))
    tensors = {name: getattr(inputs, name).clone() for name in ("x", "a", "b")}
    tensors[parameter].requires_grad_()

    with intercept() as tracer:
        y = lora_linear(tensors["x"], inputs.weight, tensors["a"], tensors["b"], scaling=0.5)
        y.backward(inputs.dy)

    backward = {
        "x": ["fused_linear_kernel"],
        "a": ["down_kernel", "rank_gradient_kernel"],
        "b": ["rank_gradient_kernel"],
    }
    assert [launch.function for launch in tracer.launches] == ["fused_linear_kernel", *backward[parameter]]
    expected = exact(inputs)[{"x": "dx", "a": "dA", "b": "dB"}[parameter]]
    torch.testing.assert_close(tensors[parameter].grad.double(), expected, rtol=1e-4, atol=1e-4)
    assert all(tensors[name].grad is None for name in tensors if name != parameter)


def test_that_a_backward_pass_that_nothing_emulates_says_why_it_does_not_run(emulated: Emulated) -> None:
    inputs = lora_inputs(LoraShape(20, 64, 40, 4))
    inputs.b.requires_grad_()
    with emulated:
        y = product(inputs, Impl.TRITON)

    with pytest.raises(Unavailable, match="Triton"):
        y.backward(inputs.dy)


@pytest.mark.parametrize("down", Down)
def test_that_the_down_product_is_computed_where_it_was_requested(down: Down) -> None:
    from core.interpreter import intercept

    with intercept() as tracer:
        product(lora_inputs(LoraShape(20, 64, 40, 4)), Impl.TRITON, down)

    before = ["down_kernel"] if down is Down.BEFORE else []
    assert [launch.function for launch in tracer.launches] == [*before, "fused_linear_kernel"]


@pytest.mark.parametrize(
    ("rank", "cols", "element_bytes", "down"),
    [
        (16, 1024, 2, Down.IN_LOOP),
        (16, 4096, 2, Down.BEFORE),
        (1, 1024, 2, Down.IN_LOOP),
        (64, 1024, 2, Down.BEFORE),
        (16, 64, 4, Down.IN_LOOP),
        (16, 1024, 4, Down.BEFORE),
    ],
)
def test_that_large_ranks_and_many_columns_read_x_again_rather_than_multiply_it_again(
    rank: int, cols: int, element_bytes: int, down: Down
) -> None:
    tiling = choose_tiling(element_bytes=element_bytes, target="sm_80")

    assert choose_down(rank=rank, cols=cols, tiling=tiling, element_bytes=element_bytes) is down


def test_that_each_of_the_two_big_products_chooses_for_itself() -> None:
    """Many columns forward, few backward."""
    from core.interpreter import intercept

    inputs = lora_inputs(LoraShape(20, 64, 2048, 16), torch.bfloat16)
    inputs.x.requires_grad_()

    with intercept() as tracer:
        product(inputs, Impl.TRITON).backward(inputs.dy)

    assert [launch.function for launch in tracer.launches] == ["down_kernel", *2 * ["fused_linear_kernel"]]
