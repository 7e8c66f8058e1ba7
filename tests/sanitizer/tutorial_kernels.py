"""Kernels in the style of Triton's tutorials, each with a function that launches it at sizes that all differ."""

from __future__ import annotations

import torch
import triton
import triton.language as tl


@triton.jit
def vector_add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    offsets = tl.program_id(axis=0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < n
    total = tl.load(x_ptr + offsets, mask=inside) + tl.load(y_ptr + offsets, mask=inside)
    tl.store(out_ptr + offsets, total, mask=inside)


@triton.jit
def persistent_softmax(out_ptr, x_ptr, x_stride, out_stride, rows, columns, BLOCK: tl.constexpr, STEP: tl.constexpr):
    for row in tl.range(tl.program_id(0), rows, STEP if STEP else tl.num_programs(0)):
        column = tl.arange(0, BLOCK)
        inside = column < columns
        x = tl.load(x_ptr + row * x_stride + column, mask=inside, other=-float("inf"))
        numerator = tl.exp(x - tl.max(x, axis=0))
        tl.store(out_ptr + row * out_stride + column, numerator / tl.sum(numerator, axis=0), mask=inside)


@triton.jit
def tile_of(tile, m, n, BM: tl.constexpr, BN: tl.constexpr, GROUP: tl.constexpr, HEIGHT: tl.constexpr = 0):
    """The row and column of a tile in grouped order. A HEIGHT that is not 0 is the wrong one for the last group."""
    tiles_m, tiles_n = tl.cdiv(m, BM), tl.cdiv(n, BN)
    in_group = GROUP * tiles_n
    first = tile // in_group * GROUP
    height = HEIGHT if HEIGHT else min(tiles_m - first, GROUP)
    return first + tile % in_group % height, tile % in_group // height


@triton.jit
def grouped_matmul(
    a_ptr, b_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm, stride_cn,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr, HEIGHT: tl.constexpr = 0,
):  # fmt: skip
    tile_m, tile_n = tile_of(tl.program_id(0), M, N, BM, BN, GROUP, HEIGHT)
    rows = (tile_m * BM + tl.arange(0, BM)) % M
    columns = (tile_n * BN + tl.arange(0, BN)) % N
    inner = tl.arange(0, BK)
    a_ptrs = a_ptr + rows[:, None] * stride_am + inner[None, :] * stride_ak
    b_ptrs = b_ptr + inner[:, None] * stride_bk + columns[None, :] * stride_bn
    total = tl.zeros((BM, BN), dtype=tl.float32)
    for k in range(tl.cdiv(K, BK)):
        a = tl.load(a_ptrs, mask=inner[None, :] < K - k * BK, other=0.0)
        b = tl.load(b_ptrs, mask=inner[:, None] < K - k * BK, other=0.0)
        total = tl.dot(a, b, total)
        a_ptrs += BK * stride_ak
        b_ptrs += BK * stride_bk
    rows = tile_m * BM + tl.arange(0, BM)
    columns = tile_n * BN + tl.arange(0, BN)
    inside = (rows[:, None] < M) & (columns[None, :] < N)
    tl.store(c_ptr + stride_cm * rows[:, None] + stride_cn * columns[None, :], total, mask=inside)


@triton.jit
def persistent_matmul(
    a_ptr, b_ptr, c_ptr, M, N, K, stride_am, stride_ak, stride_bk, stride_bn, stride_cm, stride_cn,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    for tile in tl.range(tl.program_id(0), tl.cdiv(M, BM) * tl.cdiv(N, BN), tl.num_programs(0)):
        tile_m, tile_n = tile_of(tile, M, N, BM, BN, GROUP)
        rows = tile_m * BM + tl.arange(0, BM)
        columns = tile_n * BN + tl.arange(0, BN)
        loaded_rows = tl.where(rows < M, rows, 0)
        loaded_columns = tl.where(columns < N, columns, 0)
        total = tl.zeros((BM, BN), dtype=tl.float32)
        for k in range(tl.cdiv(K, BK)):
            inner = k * BK + tl.arange(0, BK)
            a_ptrs = a_ptr + loaded_rows[:, None] * stride_am + inner[None, :] * stride_ak
            b_ptrs = b_ptr + inner[:, None] * stride_bk + loaded_columns[None, :] * stride_bn
            a = tl.load(a_ptrs, mask=inner[None, :] < K, other=0.0)
            b = tl.load(b_ptrs, mask=inner[:, None] < K, other=0.0)
            total = tl.dot(a, b, total)
        inside = (rows[:, None] < M) & (columns[None, :] < N)
        tl.store(c_ptr + stride_cm * rows[:, None] + stride_cn * columns[None, :], total, mask=inside)


@triton.jit
def dropout(x_ptr, keep_ptr, out_ptr, n, p, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < n
    x = tl.load(x_ptr + offsets, mask=inside)
    keep = tl.load(keep_ptr + offsets, mask=inside)
    tl.store(out_ptr + offsets, tl.where(keep, x / (1 - p), 0.0), mask=inside)


@triton.jit
def seeded_dropout(x_ptr, out_ptr, n, p, seed, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < n
    x = tl.load(x_ptr + offsets, mask=inside)
    keep = tl.rand(seed, offsets) > p
    tl.store(out_ptr + offsets, tl.where(keep, x / (1 - p), 0.0), mask=inside)


@triton.jit
def layer_norm(x_ptr, y_ptr, w_ptr, b_ptr, mean_ptr, rstd_ptr, stride, N, eps, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    x_ptr += row * stride
    y_ptr += row * stride
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    for start in range(0, N, BLOCK):
        columns = start + tl.arange(0, BLOCK)
        total += tl.load(x_ptr + columns, mask=columns < N, other=0.0)
    mean = tl.sum(total, axis=0) / N
    squares = tl.zeros((BLOCK,), dtype=tl.float32)
    for start in range(0, N, BLOCK):
        columns = start + tl.arange(0, BLOCK)
        x = tl.load(x_ptr + columns, mask=columns < N, other=0.0)
        x = tl.where(columns < N, x - mean, 0.0)
        squares += x * x
    rstd = 1 / tl.sqrt(tl.sum(squares, axis=0) / N + eps)
    tl.store(mean_ptr + row, mean)
    tl.store(rstd_ptr + row, rstd)
    for start in range(0, N, BLOCK):
        columns = start + tl.arange(0, BLOCK)
        inside = columns < N
        w, b = tl.load(w_ptr + columns, mask=inside), tl.load(b_ptr + columns, mask=inside)
        x = tl.load(x_ptr + columns, mask=inside, other=0.0)
        tl.store(y_ptr + columns, (x - mean) * rstd * w + b, mask=inside)


@triton.jit
def layer_norm_backward(
    dx_ptr, dy_ptr, dw_ptr, db_ptr, x_ptr, w_ptr, mean_ptr, rstd_ptr, lock_ptr, stride, N,
    GROUP: tl.constexpr, BLOCK: tl.constexpr, LOCKED: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    columns = tl.arange(0, BLOCK)
    inside = columns < N
    x = tl.load(x_ptr + row * stride + columns, mask=inside, other=0.0)
    dy = tl.load(dy_ptr + row * stride + columns, mask=inside, other=0.0)
    w = tl.load(w_ptr + columns, mask=inside, other=0.0)
    rstd = tl.load(rstd_ptr + row)
    xhat = tl.where(inside, (x - tl.load(mean_ptr + row)) * rstd, 0.0)
    wdy = w * dy
    along = tl.sum(xhat * wdy, axis=0) / N
    tl.store(dx_ptr + row * stride + columns, (wdy - xhat * along - tl.sum(wdy, axis=0) / N) * rstd, mask=inside)
    lock = row % GROUP
    lock_ptr += lock
    count_ptr = lock_ptr + GROUP
    dw_ptrs, db_ptrs = dw_ptr + lock * N + columns, db_ptr + lock * N + columns
    dw, db = dy * xhat, dy
    if LOCKED:
        while tl.atomic_cas(lock_ptr, 0, 1) == 1:
            pass
    count = tl.load(count_ptr)
    if count == 0:
        tl.atomic_xchg(count_ptr, 1)
    else:
        dw += tl.load(dw_ptrs, mask=inside)
        db += tl.load(db_ptrs, mask=inside)
    tl.store(dw_ptrs, dw, mask=inside)
    tl.store(db_ptrs, db, mask=inside)
    if LOCKED:
        tl.debug_barrier()
        tl.atomic_xchg(lock_ptr, 0)


@triton.jit
def layer_norm_sums(dw_ptr, db_ptr, dw_out_ptr, db_out_ptr, M, N, BM: tl.constexpr, BN: tl.constexpr):
    columns = tl.program_id(0) * BN + tl.arange(0, BN)
    dw = tl.zeros((BM, BN), dtype=tl.float32)
    db = tl.zeros((BM, BN), dtype=tl.float32)
    for start in range(0, M, BM):
        rows = start + tl.arange(0, BM)
        inside = (rows[:, None] < M) & (columns[None, :] < N)
        offsets = rows[:, None] * N + columns[None, :]
        dw += tl.load(dw_ptr + offsets, mask=inside, other=0.0)
        db += tl.load(db_ptr + offsets, mask=inside, other=0.0)
    tl.store(dw_out_ptr + columns, tl.sum(dw, axis=0), mask=columns < N)
    tl.store(db_out_ptr + columns, tl.sum(db, axis=0), mask=columns < N)


@triton.jit
def attention(
    q_ptr, k_ptr, v_ptr, lse_ptr, out_ptr, scale,
    stride_qz, stride_qh, stride_qm, stride_kz, stride_kh, stride_kn, stride_vz, stride_vh, stride_vn,
    stride_oz, stride_oh, stride_om, Z, H, N_CTX,
    D: tl.constexpr, BM: tl.constexpr, BN: tl.constexpr, CAUSAL: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    start, head = tl.program_id(0), tl.program_id(1)
    z, h = head // H, head % H
    q_ptr += z.to(tl.int64) * stride_qz + h.to(tl.int64) * stride_qh
    k_ptr += z.to(tl.int64) * stride_kz + h.to(tl.int64) * stride_kh
    v_ptr += z.to(tl.int64) * stride_vz + h.to(tl.int64) * stride_vh
    out_ptr += z.to(tl.int64) * stride_oz + h.to(tl.int64) * stride_oh
    rows, columns, inner = start * BM + tl.arange(0, BM), tl.arange(0, BN), tl.arange(0, D)
    q_ptrs = q_ptr + rows[:, None] * stride_qm + inner[None, :]
    out_ptrs = out_ptr + rows[:, None] * stride_om + inner[None, :]
    if MASKED:
        q = tl.load(q_ptrs, mask=rows[:, None] < N_CTX, other=0.0)
    else:
        q = tl.load(q_ptrs)
    highest = tl.full((BM,), -1e30, dtype=tl.float32)
    total = tl.zeros((BM,), dtype=tl.float32)
    out = tl.zeros((BM, D), dtype=tl.float32)
    end = min((start + 1) * BM, N_CTX) if CAUSAL else N_CTX
    for first in range(0, end, BN):
        first = tl.multiple_of(first, BN)
        k_ptrs = k_ptr + (first + columns)[None, :] * stride_kn + inner[:, None]
        v_ptrs = v_ptr + (first + columns)[:, None] * stride_vn + inner[None, :]
        if MASKED:
            k = tl.load(k_ptrs, mask=(first + columns)[None, :] < N_CTX, other=0.0)
            v = tl.load(v_ptrs, mask=(first + columns)[:, None] < N_CTX, other=0.0)
        else:
            k, v = tl.load(k_ptrs), tl.load(v_ptrs)
        scores = tl.dot(q, k) * scale
        seen = (first + columns)[None, :] < N_CTX
        if CAUSAL:
            seen = seen & (rows[:, None] >= (first + columns)[None, :])
        scores = tl.where(seen, scores, -1e30)
        new = tl.maximum(highest, tl.max(scores, 1))
        p = tl.exp(scores - new[:, None])
        decay = tl.exp(highest - new)
        total = total * decay + tl.sum(p, 1)
        out = tl.dot(p.to(v.dtype), v, out * decay[:, None])
        highest = new
    lse_ptrs = lse_ptr + head * N_CTX + rows
    if MASKED:
        tl.store(lse_ptrs, highest + tl.log(total), mask=rows < N_CTX)
        tl.store(out_ptrs, out / total[:, None], mask=rows[:, None] < N_CTX)
    else:
        tl.store(lse_ptrs, highest + tl.log(total))
        tl.store(out_ptrs, out / total[:, None])


def run_vector_add(n=98):
    x = torch.rand(n)
    vector_add[(triton.cdiv(n, 16),)](x, x.clone(), torch.empty_like(x), n, BLOCK=16)


def run_persistent_softmax(rows=11, columns=13, programs=4, step=0):
    """A `step` that is not 0 is the wrong one."""
    x = torch.rand(rows, columns)
    out = torch.empty_like(x)
    persistent_softmax[(programs,)](out, x, x.stride(0), out.stride(0), rows, columns, BLOCK=16, STEP=step)


def _matmul(kernel, grid, m=71, n=53, k=37, **more):
    a, b, c = torch.rand(m, k), torch.rand(k, n), torch.empty(m, n)
    strides = (*a.stride(), *b.stride(), *c.stride())
    kernel[grid(m, n)](a, b, c, m, n, k, *strides, BM=16, BN=16, BK=16, GROUP=2, **more)


def run_grouped_matmul(height=0, **sizes):
    """A `height` that is not 0 is the wrong one."""
    _matmul(grouped_matmul, lambda m, n: (triton.cdiv(m, 16) * triton.cdiv(n, 16),), HEIGHT=height, **sizes)


def run_persistent_matmul():
    _matmul(persistent_matmul, lambda m, n: (7,))


def run_dropout(n=98):
    x = torch.rand(n)
    keep = torch.rand(n) > 0.5
    dropout[(triton.cdiv(n, 16),)](x, keep, torch.empty_like(x), n, 0.5, BLOCK=16)


def run_seeded_dropout(n=98):
    x = torch.rand(n)
    seeded_dropout[(triton.cdiv(n, 16),)](x, torch.empty_like(x), n, 0.5, 123, BLOCK=16)


def run_layer_norm(m=11, n=37):
    x, w, b = torch.rand(m, n), torch.rand(n), torch.rand(n)
    mean, rstd = torch.empty(m), torch.empty(m)
    layer_norm[(m,)](x, torch.empty_like(x), w, b, mean, rstd, x.stride(0), n, 1e-5, BLOCK=16)


def run_layer_norm_backward(m=11, n=13, group=4, locked=True):
    x, dy, w = torch.rand(m, n), torch.rand(m, n), torch.rand(n)
    locks = torch.zeros(2 * group, dtype=torch.int32)
    dw, db = torch.empty(group, n), torch.empty(group, n)
    mean, rstd = torch.rand(m), torch.rand(m)
    layer_norm_backward[(m,)](
        torch.empty_like(x), dy, dw, db, x, w, mean, rstd, locks, x.stride(0), n, GROUP=group, BLOCK=16, LOCKED=locked
    )


def run_layer_norm_sums(m=41, n=53):
    dw = torch.rand(m, n)
    layer_norm_sums[(triton.cdiv(n, 16),)](dw, dw.clone(), torch.empty(n), torch.empty(n), m, n, BM=32, BN=16)


def run_attention(masked=True, causal=True, n=149):
    z, h = 2, 3
    q, k, v = (torch.rand(z, h, n, 16) for _ in range(3))
    out, lse = torch.empty_like(q), torch.empty(z, h, n)
    strides = [stride for each in (q, k, v, out) for stride in each.stride()[:3]]
    attention[(triton.cdiv(n, 32), z * h)](
        q, k, v, lse, out, 0.25, *strides, z, h, n, D=16, BM=32, BN=16, CAUSAL=causal, MASKED=masked
    )


def run_unmasked_attention():
    run_attention(masked=False, n=160)


TUTORIALS = {
    "vector add": run_vector_add,
    "fused softmax (persistent)": run_persistent_softmax,
    "matrix multiplication (grouped)": run_grouped_matmul,
    "low-memory dropout": run_dropout,
    "seeded dropout": run_seeded_dropout,
    "layer norm, forward": run_layer_norm,
    "layer norm, backward (with locks)": run_layer_norm_backward,
    "layer norm, backward (sums)": run_layer_norm_sums,
    "fused attention, with masks": run_attention,
    "fused attention, without masks": run_unmasked_attention,
    "persistent matrix multiplication": run_persistent_matmul,
}
"""By tutorial, what launches its kernel."""
