"""Gluon kernels whose values stay in registers are checked as those of Triton: offsets that wrap, undefined lanes."""

from __future__ import annotations

import pytest
import torch
from triton.experimental import gluon
from triton.experimental.gluon import language as gl

from core.interpreter import intercept
from core.sanitizer import kinds


@gluon.jit
def copy(x_ptr, y_ptr, n, stride, N: gl.constexpr, OTHER: gl.constexpr):
    narrow: gl.constexpr = gl.BlockedLayout([1], [32], [4], [0])
    wide: gl.constexpr = gl.BlockedLayout([4], [32], [4], [0])
    i = gl.arange(0, N, narrow)
    if OTHER:
        x = gl.load(x_ptr + i * stride, mask=i < n, other=0.0)
    else:
        x = gl.load(x_ptr + i * stride, mask=i < n)
    gl.store(y_ptr + gl.arange(0, N, wide), gl.convert_layout(x, wide))


@pytest.mark.parametrize(
    ("stride", "other", "kind"),
    [(1, True, None), (1, False, kinds.UNDEFINED_LANES), (1 << 26, True, kinds.ADDRESS_OVERFLOW)],
)
def test_that_a_change_of_layout_keeps_what_is_doubtful(stride: int, other: bool, kind: str | None) -> None:
    with intercept(faults="record") as tracer:
        copy[(1,)](torch.ones(128), torch.zeros(128), 100, stride, N=128, OTHER=other)
    found = {fault.kind for fault in tracer.launches[0].faults}
    assert kind in found if kind else not found
