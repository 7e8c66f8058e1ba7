"""What the fused product reads and writes, from traces, beside PEFT's steps with the same tiles."""

from collections import Counter

import pytest
import torch

from kernels.lora.api import Down, Impl, update_importance
from tests.kernels.conftest import INTERPRETED
from tests.kernels.lora_cases import LoraShape, in_nf4, lora_inputs, product

pytest.importorskip("triton", reason="Triton is not installed here")
pytestmark = pytest.mark.skipif(INTERPRETED, reason="interpreted kernels are not traced")

if not INTERPRETED:
    from core.interpreter import Launch, intercept
    from core.trace.traffic import traffic

TILE = 128
SHAPE = LoraShape(2 * TILE, 192, 3 * TILE, 16)
X_BYTES, Y_BYTES = 2 * SHAPE.rows * SHAPE.in_features, 2 * SHAPE.rows * SHAPE.out_features
W_BYTES = 2 * SHAPE.in_features * SHAPE.out_features
COLUMN_TILES, ROW_TILES = 3, 2


def traced(impl: Impl, down: Down | None = None) -> list["Launch"]:
    with intercept() as tracer:
        product(lora_inputs(SHAPE, torch.bfloat16), impl, down)
    return list(tracer.launches)


def moved(launches: list["Launch"]) -> tuple[Counter[str], Counter[str]]:
    """Bytes read and written by tensor argument, "kernel.buffer"."""
    read, written = Counter[str](), Counter[str]()
    for launch in launches:
        for buffer in traffic(launch).buffers:
            read[f"{launch.function}.{buffer.buffer}"] += buffer.read_bytes
            written[f"{launch.function}.{buffer.buffer}"] += buffer.written_bytes
    return +read, +written


def test_that_the_fused_product_reads_x_once_for_both_products_and_writes_y_once() -> None:
    read, written = moved(traced(Impl.TRITON))

    # A program reads its rows of x once, for its columns of the big product and for the rank-r one alike.
    assert read["fused_linear_kernel.x_ptr"] == COLUMN_TILES * X_BYTES
    assert read["fused_linear_kernel.weight_ptr"] == ROW_TILES * W_BYTES
    assert written == {"fused_linear_kernel.out_ptr": Y_BYTES}


def test_that_unfused_steps_read_x_again_and_pass_six_more_times_over_the_output() -> None:
    read, written = moved(traced(Impl.TRITON_UNFUSED))
    fused_read, fused_written = moved(traced(Impl.TRITON))

    assert read["down_kernel.x_ptr"] == X_BYTES
    base_x = COLUMN_TILES * X_BYTES
    down_bytes = COLUMN_TILES * 2 * SHAPE.rows * SHAPE.rank
    assert read["fused_linear_kernel.x_ptr"] == base_x + down_bytes
    # The base product, B's product, its scaling and the sum are written; the last two steps read three times.
    assert read["scale_kernel.x_ptr"] == read["sum_kernel.x_ptr"] == read["sum_kernel.y_ptr"] == Y_BYTES
    assert sum(written.values()) == 4 * Y_BYTES + 2 * SHAPE.rows * SHAPE.rank
    assert sum(fused_written.values()) == Y_BYTES
    extra = sum(read.values()) + sum(written.values()) - sum(fused_read.values()) - sum(fused_written.values())
    assert extra > 6 * Y_BYTES


def test_that_the_product_before_reads_x_once_more_and_the_big_one_reads_no_a() -> None:
    read, written = moved(traced(Impl.TRITON, Down.BEFORE))

    assert read["down_kernel.x_ptr"] == X_BYTES
    assert read["fused_linear_kernel.x_ptr"] == COLUMN_TILES * X_BYTES
    assert "fused_linear_kernel.a_ptr" not in read
    assert written["fused_linear_kernel.out_ptr"] == Y_BYTES
    assert written["down_kernel.out_ptr"] == 2 * SHAPE.rows * SHAPE.rank


def test_that_training_keeps_the_down_product_once_however_many_column_tiles_find_it() -> None:
    inputs = lora_inputs(SHAPE, torch.bfloat16)
    inputs.b.requires_grad_()

    with intercept() as tracer:
        product(inputs, Impl.TRITON)

    _, written = moved(list(tracer.launches))
    assert written["fused_linear_kernel.down_ptr"] == 2 * SHAPE.rows * SHAPE.rank


def test_that_nf4_weights_are_read_as_codes_and_scales_and_restored_nowhere_but_on_chip() -> None:
    inputs = in_nf4(lora_inputs(SHAPE, torch.bfloat16))

    with intercept() as tracer:
        product(inputs, Impl.TRITON)

    read, written = moved(list(tracer.launches))
    weights = SHAPE.in_features * SHAPE.out_features
    assert read["fused_linear_nf4_kernel.words_ptr"] == ROW_TILES * weights // 2
    assert read["fused_linear_nf4_kernel.absmax_ptr"] == ROW_TILES * weights // 64 * 4
    assert written == {"fused_linear_nf4_kernel.out_ptr": Y_BYTES}


def test_that_the_importance_update_reads_four_tensors_and_writes_two_once() -> None:
    tensors = [torch.rand(5000) for _ in range(4)]

    with intercept() as tracer:
        update_importance(*tensors, beta1=0.85, beta2=0.85)

    (launch,) = tracer.launches
    counted = traffic(launch)
    assert counted.read_bytes == 4 * 4 * 5000
    assert counted.written_bytes == 2 * 4 * 5000
