"""Layer norm, forward and backward: autograd launches the second and third kernel.

The gradients of weight and bias are sums over all rows. Each program adds up some rows in its own partial sum, and the
last kernel adds the partial sums. So no two programs ever write the same element.
"""

import torch
import triton
import triton.language as tl

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
PARTIAL_SUMS = 64


@triton.jit
def forward_kernel(x_ptr, w_ptr, b_ptr, y_ptr, mean_ptr, rstd_ptr, columns, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < columns
    x = tl.load(x_ptr + row * columns + column, mask=inside, other=0.0)
    mean = tl.sum(x, axis=0) / columns
    centred = tl.where(inside, x - mean, 0.0)
    rstd = tl.rsqrt(tl.sum(centred * centred, axis=0) / columns + eps)
    w = tl.load(w_ptr + column, mask=inside)
    b = tl.load(b_ptr + column, mask=inside)
    tl.store(y_ptr + row * columns + column, centred * rstd * w + b, mask=inside)
    tl.store(mean_ptr + row, mean)
    tl.store(rstd_ptr + row, rstd)


@triton.jit
def backward_kernel(
    x_ptr, w_ptr, dy_ptr, mean_ptr, rstd_ptr, dx_ptr, dw_part_ptr, db_part_ptr, rows, columns, BLOCK: tl.constexpr
):
    part = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, BLOCK)
    inside = column < columns
    w = tl.load(w_ptr + column, mask=inside, other=0.0)
    dw = tl.zeros((BLOCK,), dtype=tl.float32)
    db = tl.zeros((BLOCK,), dtype=tl.float32)
    for row in range(part, rows, tl.num_programs(0)):
        x = tl.load(x_ptr + row * columns + column, mask=inside, other=0.0)
        dy = tl.load(dy_ptr + row * columns + column, mask=inside, other=0.0)
        rstd = tl.load(rstd_ptr + row)
        normalised = tl.where(inside, (x - tl.load(mean_ptr + row)) * rstd, 0.0)
        wdy = w * dy
        along = tl.sum(normalised * wdy, axis=0) / columns
        dx = (wdy - normalised * along - tl.sum(wdy, axis=0) / columns) * rstd
        tl.store(dx_ptr + row * columns + column, dx, mask=inside)
        dw += dy * normalised
        db += dy
    tl.store(dw_part_ptr + part * columns + column, dw, mask=inside)
    tl.store(db_part_ptr + part * columns + column, db, mask=inside)


@triton.jit
def add_parts_kernel(dw_part_ptr, db_part_ptr, dw_ptr, db_ptr, parts, columns, BLOCK: tl.constexpr):
    column = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = column < columns
    dw = tl.zeros((BLOCK,), dtype=tl.float32)
    db = tl.zeros((BLOCK,), dtype=tl.float32)
    for part in range(parts):
        dw += tl.load(dw_part_ptr + part.to(tl.int64) * columns + column, mask=inside, other=0.0)
        db += tl.load(db_part_ptr + part.to(tl.int64) * columns + column, mask=inside, other=0.0)
    tl.store(dw_ptr + column, dw, mask=inside)
    tl.store(db_ptr + column, db, mask=inside)


class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, b, eps):
        rows, columns = x.shape
        y = torch.empty_like(x)
        mean, rstd = torch.empty(rows, device=x.device), torch.empty(rows, device=x.device)
        block = triton.next_power_of_2(columns)
        forward_kernel[(rows,)](x, w, b, y, mean, rstd, columns, eps, BLOCK=block)
        ctx.save_for_backward(x, w, mean, rstd)
        return y

    @staticmethod
    def backward(ctx, dy):
        x, w, mean, rstd = ctx.saved_tensors
        rows, columns = x.shape
        parts = min(PARTIAL_SUMS, rows)
        dx, dw, db = torch.empty_like(x), torch.empty_like(w), torch.empty_like(w)
        dw_part, db_part = (torch.empty(parts, columns, device=x.device) for _ in range(2))
        block = triton.next_power_of_2(columns)
        backward_kernel[(parts,)](x, w, dy.contiguous(), mean, rstd, dx, dw_part, db_part, rows, columns, BLOCK=block)
        add_parts_kernel[(triton.cdiv(columns, 128),)](dw_part, db_part, dw, db, parts, columns, BLOCK=128)
        return dx, dw, db, None


def layer_norm(x, w, b, eps=1e-5):
    return LayerNorm.apply(x, w, b, eps)


def main(rows=256, columns=500):
    x = torch.randn(rows, columns, device=DEVICE, requires_grad=True)
    w = torch.randn(columns, device=DEVICE, requires_grad=True)
    b = torch.randn(columns, device=DEVICE, requires_grad=True)
    y = layer_norm(x, w, b)
    y.backward(torch.randn_like(y))
    return y, x.grad, w.grad, b.grad
