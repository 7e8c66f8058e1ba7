"""What kernels for training look like, as small kernels of our own: the kinds that docs/compatibility.md tries on
public packages, which are not installed here. Against torch in float64."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch.nn import functional

from core.interpreter import intercept


def randn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def assert_close(got: torch.Tensor, expected: torch.Tensor, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(got.double(), expected.double(), rtol=tolerance, atol=tolerance)


@triton.heuristics({"BLOCK": lambda arguments: triton.next_power_of_2(arguments["columns"])})
@triton.autotune([triton.Config({}, num_warps=warps) for warps in (2, 4)], key=["columns"])
@triton.jit
def norm_kernel(x_ptr, w_ptr, o_ptr, r_ptr, columns, eps, BLOCK: tl.constexpr):
    row, cols = tl.program_id(0), tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * columns + cols, mask=cols < columns, other=0.0)
    scale = tl.rsqrt(tl.sum(x * x) / columns + eps)
    tl.store(r_ptr + row, scale)
    w = tl.load(w_ptr + cols, mask=cols < columns)
    tl.store(o_ptr + row * columns + cols, x * scale * w, mask=cols < columns)


@triton.jit
def norm_gradient_kernel(
    g_ptr, x_ptr, w_ptr, r_ptr, gx_ptr, gw_ptr, rows, columns, ROWS: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    part, cols = tl.program_id(0), tl.arange(0, BLOCK)
    keep = cols < columns
    w, total = tl.load(w_ptr + cols, mask=keep, other=0.0), tl.zeros([BLOCK], tl.float32)
    for row in range(part * ROWS, min((part + 1) * ROWS, rows)):
        g = tl.load(g_ptr + row * columns + cols, mask=keep, other=0.0)
        x = tl.load(x_ptr + row * columns + cols, mask=keep, other=0.0)
        scale = tl.load(r_ptr + row)
        inner = tl.sum(g * w * x) / columns
        tl.store(gx_ptr + row * columns + cols, scale * (g * w - x * scale * scale * inner), mask=keep)
        total += g * x * scale
    tl.store(gw_ptr + part * columns + cols, total, mask=keep)


class Norm(torch.autograd.Function):
    """Launches from backward, with a partial sum per program, as libraries have it."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        o, r = torch.empty_like(x), torch.empty(len(x))
        norm_kernel[(len(x),)](x, w, o, r, x.shape[1], 1e-6)
        ctx.save_for_backward(x, w, r)
        return o

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # type: ignore[override]
        x, w, r = ctx.saved_tensors
        gx, parts = torch.empty_like(x), torch.empty(triton.cdiv(len(x), 4), len(w))
        norm_gradient_kernel[(len(parts),)](g, x, w, r, gx, parts, *x.shape, ROWS=4, BLOCK=64)
        return gx, parts.sum(0)


def test_that_an_autotuned_norm_has_the_gradients_of_torch() -> None:
    x, w = randn(10, 50).requires_grad_(), randn(50, seed=1).requires_grad_()
    with intercept() as tracer:
        o = Norm.apply(x, w)
        o.backward(torch.ones_like(o))
    a, b = x.detach().double().requires_grad_(), w.detach().double().requires_grad_()
    expected = functional.rms_norm(a, (50,), b, 1e-6)
    expected.backward(torch.ones_like(expected))
    for got, other in ((o, expected), (x.grad, a.grad), (w.grad, b.grad)):
        assert_close(got, other)
    assert [launch.function for launch in tracer.launches] == ["norm_kernel", "norm_gradient_kernel"]


@triton.jit
def cross_entropy_kernel(x_ptr, target_ptr, loss_ptr, columns, ignored, scale, BLOCK: tl.constexpr):
    """Two passes over the row; the gradient is written over the logits."""
    row = tl.program_id(0).to(tl.int64)
    target = tl.load(target_ptr + row)
    x_ptr += row * columns
    if target == ignored:
        for start in range(0, columns, BLOCK):
            cols = start + tl.arange(0, BLOCK)
            tl.store(x_ptr + cols, 0.0, mask=cols < columns)
        return
    largest, total = float("-inf"), 0.0
    for start in range(0, columns, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + cols, mask=cols < columns, other=float("-inf"))
        new = tl.maximum(largest, tl.max(x))
        total = total * tl.exp(largest - new) + tl.sum(tl.exp(x - new))
        largest = new
    logarithm = largest + tl.log(total)
    tl.store(loss_ptr + row, (logarithm - tl.load(x_ptr + target)) * scale)
    tl.debug_barrier()
    for start in range(0, columns, BLOCK):
        cols = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + cols, mask=cols < columns, other=float("-inf"))
        tl.store(x_ptr + cols, (tl.exp(x - logarithm) - (cols == target)) * scale, mask=cols < columns)


def test_that_a_loss_in_place_ignores_tokens() -> None:
    x, target = randn(6, 100), torch.tensor([1, 4, -100, 7, 99, 0])
    logits, loss = x.clone(), torch.zeros(6)
    with intercept():
        cross_entropy_kernel[(6,)](logits, target, loss, 100, -100, 1 / 5, BLOCK=32)
    leaf = x.double().requires_grad_()
    expected = functional.cross_entropy(leaf, target)
    expected.backward()
    assert_close(loss.sum(), expected.detach())
    assert_close(logits, leaf.grad)


@triton.jit
def rotary_kernel(q_ptr, cos_ptr, sin_ptr, heads, HALF: tl.constexpr, HEADS: tl.constexpr):
    """In place, all heads of a token at once."""
    token, cols = tl.program_id(0), tl.arange(0, HALF)
    head = tl.arange(0, HEADS)[:, None]
    cos, sin = tl.load(cos_ptr + token * HALF + cols)[None, :], tl.load(sin_ptr + token * HALF + cols)[None, :]
    first = q_ptr + (token * heads + head) * 2 * HALF + cols[None, :]
    keep = head < heads
    one, other = tl.load(first, mask=keep), tl.load(first + HALF, mask=keep)
    tl.store(first, one * cos - other * sin, mask=keep)
    tl.store(first + HALF, other * cos + one * sin, mask=keep)


def test_that_a_rotation_in_place_is_that_of_torch() -> None:
    q, angle = randn(9, 3, 32), randn(9, 16, seed=1)
    one, other, cos, sin = *q.double().chunk(2, -1), angle.double().cos()[:, None], angle.double().sin()[:, None]
    with intercept():
        rotary_kernel[(9,)](q, angle.cos(), angle.sin(), 3, HALF=16, HEADS=4)
    assert_close(q, torch.cat((one * cos - other * sin, other * cos + one * sin), -1))


@triton.jit
def dropout_kernel(x_ptr, o_ptr, length, p, seed, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    keep = tl.rand(seed, offsets) > p
    x = tl.load(x_ptr + offsets, mask=offsets < length)
    tl.store(o_ptr + offsets, tl.where(keep, x / (1 - p), 0.0), mask=offsets < length)


def test_that_dropout_is_repeatable_and_keeps_its_share() -> None:
    x, o, again = torch.ones(4000), torch.empty(4000), torch.empty(4000)
    with intercept():
        dropout_kernel[(4,)](x, o, 4000, 0.25, 123, BLOCK=1024)
        dropout_kernel[(8,)](x, again, 4000, 0.25, 123, BLOCK=512)
    assert torch.equal(o, again)
    assert o.unique().tolist() == [0.0, torch.tensor(4 / 3).item()]
    assert 0.22 < (o == 0).float().mean() < 0.28


@triton.jit
def _gated_sum(decay, value, next_decay, next_value):
    return decay * next_decay, value * next_decay + next_value


@triton.jit
def scan_kernel(x_ptr, g_ptr, o_ptr, length, BLOCK: tl.constexpr, COLUMNS: tl.constexpr):
    rows, cols = tl.arange(0, BLOCK)[:, None], tl.arange(0, COLUMNS)[None, :]
    at = rows * COLUMNS + cols
    x = tl.load(x_ptr + at, mask=rows < length, other=0.0)
    decay = tl.exp(tl.load(g_ptr + at, mask=rows < length, other=0.0))
    _, state = tl.associative_scan((decay, x), 0, _gated_sum)
    tl.store(o_ptr + at, state, mask=rows < length)


def test_that_a_gated_scan_is_a_recurrence() -> None:
    x, g, o = randn(50, 16), functional.logsigmoid(randn(50, 16, seed=1)), torch.empty(50, 16)
    with intercept():
        scan_kernel[(1,)](x, g, o, 50, BLOCK=64, COLUMNS=16)
    state = torch.zeros(16, dtype=torch.float64)
    for t in range(50):
        state = state * g[t].double().exp() + x[t].double()
        assert_close(o[t], state)


@triton.jit
def chunk_kernel(q_ptr, k_ptr, v_ptr, o_ptr, length, SIZE: tl.constexpr, CHUNK: tl.constexpr):
    """Linear attention: what a chunk reads of the state before it, and of itself."""
    base = tl.program_id(0) * length * SIZE
    cols, rows = tl.arange(0, SIZE), tl.arange(0, CHUNK)
    state = tl.zeros([SIZE, SIZE], tl.float32)
    for start in range(0, length, CHUNK):
        at = base + (start + rows)[:, None] * SIZE + cols[None, :]
        keep = (start + rows)[:, None] < length
        q, k, v = (
            tl.load(q_ptr + at, mask=keep, other=0.0),
            tl.load(k_ptr + at, mask=keep, other=0.0),
            tl.load(v_ptr + at, mask=keep, other=0.0),
        )
        inside = tl.where(rows[:, None] >= rows[None, :], tl.dot(q, tl.trans(k), input_precision="ieee"), 0.0)
        o = tl.dot(q, state, input_precision="ieee") + tl.dot(inside, v, input_precision="ieee")
        state += tl.dot(tl.trans(k), v, input_precision="ieee")
        tl.store(o_ptr + at, o, mask=keep)


def test_that_chunks_of_linear_attention_carry_a_state() -> None:
    q, k, v, o = (
        randn(2, 70, 16),
        randn(2, 70, 16, seed=1),
        randn(2, 70, 16, seed=2),
        torch.full((2, 70, 16), torch.nan),
    )
    with intercept():
        chunk_kernel[(2,)](q, k, v, o, 70, SIZE=16, CHUNK=32)
    assert_close(o, (q.double() @ k.double().mT).tril() @ v.double(), 1e-4)


@triton.jit
def inverse_kernel(a_ptr, o_ptr, SIZE: tl.constexpr):
    """The inverse of 1 + a strictly lower triangle, row by row, as delta rules need it."""
    i = tl.arange(0, SIZE)
    at = tl.program_id(0) * SIZE * SIZE + i[:, None] * SIZE + i[None, :]
    inverse = -tl.load(a_ptr + at)
    for row in range(1, SIZE):
        chosen = i[:, None] == row
        line = tl.sum(tl.where(chosen, inverse, 0.0), 0)
        line += tl.sum(line[:, None] * inverse * (i[:, None] < row), 0)
        inverse = tl.where(chosen, line[None, :], inverse)
    tl.store(o_ptr + at, inverse + (i[:, None] == i[None, :]))


def test_that_triangles_are_inverted_row_by_row() -> None:
    a, o = 0.3 * randn(3, 16, 16).tril(-1), torch.empty(3, 16, 16)
    with intercept():
        inverse_kernel[(3,)](a, o, SIZE=16)
    assert_close(o, torch.linalg.inv(torch.eye(16, dtype=torch.float64) + a.double()), 1e-4)
