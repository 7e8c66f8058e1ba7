"""bitsandbytes: its Triton backend, against its own CPU backend and torch."""

from typing import Any

import torch
from inputs import close, double, randn

PACKAGES = ("bitsandbytes",)


def _ops() -> Any:
    from bitsandbytes.backends.triton import ops

    return ops


def _code(kind: str) -> torch.Tensor:
    from bitsandbytes.functional import get_4bit_type

    return get_4bit_type(kind, device="cpu").double()


def _nearest(x: torch.Tensor, kind: str, block: int) -> torch.Tensor:
    """The numbers of `x`, rounded to the code of each block's largest."""
    blocks = x.view(-1, block)
    largest, code = blocks.abs().amax(1, keepdim=True), _code(kind)
    return (code[((blocks / largest)[..., None] - code).abs().argmin(-1)] * largest).view(x.shape)


def _four_bits(kind: str) -> None:
    x = randn(32, 64)
    codes, largest = _ops().quantize_4bit(x, 64, kind, torch.uint8)
    close(largest, double(x)[0].view(-1, 64).abs().amax(1))
    back = _ops().dequantize_4bit(codes, largest, 64, kind, x.shape, torch.float32)
    close(back, _nearest(double(x)[0], kind, 64), 1e-5)


def nf4() -> None:
    _four_bits("nf4")


def fp4() -> None:
    _four_bits("fp4")


def eight_bits() -> None:
    from bitsandbytes.functional import create_dynamic_map

    x, code = randn(2048), create_dynamic_map()
    codes, largest = _ops().quantize_blockwise(x, code.to(x.device), 256)
    back = _ops().dequantize_blockwise(codes, largest, code.to(x.device), 256, torch.float32)
    blocks = double(x)[0].view(-1, 256)
    scaled = blocks / blocks.abs().amax(1, keepdim=True)
    nearest = (scaled[..., None] - code.double()).abs().amin(-1)
    got = (back.cpu().double().view(-1, 256) / blocks.abs().amax(1, keepdim=True) - scaled).abs()
    close(got, nearest, 1e-5)


def adam() -> None:
    p, g, m, v = randn(1000), randn(1000, seed=1), randn(1000, seed=2), randn(1000, seed=3).square()
    p0, g0, m0, v0 = double(p, g, m, v)
    _ops().optimizer_update_32bit(
        "adam", g, p, m, v, None, 0.0, 0.0, 0.9, 0.999, 0.0, 0.0, 1e-8, 0.0, 1, 1e-2, 1.0, False
    )
    m1, v1 = 0.9 * m0 + 0.1 * g0, 0.999 * v0 + 0.001 * g0**2
    step = 1e-2 * (1 - 0.999) ** 0.5 / (1 - 0.9)
    close([m, v, p], [m1, v1, p0 - step * m1 / (v1.sqrt() + 1e-8 * (1 - 0.999) ** 0.5)], 1e-4)
