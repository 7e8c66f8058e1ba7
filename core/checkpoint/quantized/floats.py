"""The values of small floats and of packed integers, as numpy arrays. Sources: OCP 8-bit floating point (OFP8) 1.0, OCP
microscaling formats (MX) 1.0."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

FP4_E2M1: Floats = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], np.float32)
FP4_E2M1 = np.concatenate([FP4_E2M1, -FP4_E2M1])
"""The value of each 4-bit code; the highest bit is the sign."""


@cache
def byte_values(dtype: str) -> Floats:
    """The value of each of the 256 codes of 'F8_E4M3', 'F8_E5M2', 'F8_E8M0' or 'I8', float32 [256]."""
    codes = np.arange(256)
    if dtype == "I8":
        return codes.astype(np.uint8).view(np.int8).astype(np.float32)
    if dtype == "F8_E8M0":
        return np.where(codes == 255, np.nan, np.exp2(codes - 127.0)).astype(np.float32)
    mantissa_bits, bias = (3, 7) if dtype == "F8_E4M3" else (2, 15)
    mantissa, exponent = codes & ((1 << mantissa_bits) - 1), (codes & 127) >> mantissa_bits
    share = mantissa / (1 << mantissa_bits)
    magnitude = np.where(exponent == 0, share * 2.0 ** (1 - bias), (1 + share) * np.exp2(exponent - float(bias)))
    if dtype == "F8_E4M3":  # e4m3fn: no infinities, one NaN per sign
        magnitude[(codes & 127) == 127] = np.nan
    else:
        magnitude[(codes & 127) == 124] = np.inf
        magnitude[(codes & 127) > 124] = np.nan
    return np.where(codes >= 128, -magnitude, magnitude).astype(np.float32)


def nibbles(packed: Bytes, *, high_first: bool = False) -> Bytes:
    """The two 4-bit codes of each byte, along the last axis: [..., n] becomes [..., 2 n]."""
    low, high = packed & 15, packed >> 4
    pair = (high, low) if high_first else (low, high)
    return np.stack(pair, axis=-1).reshape(*packed.shape[:-1], -1)


def unpacked(packed: NDArray[Any], bits: int, axis: int, order: tuple[int, ...] | None = None) -> Bytes:
    """The codes of 32-bit words along `axis`, the lowest bits first. `order` gives the place in its word of each code,
    if not in order. An axis of n words becomes 32 / bits * n codes."""
    places = np.array(order if order is not None else range(32 // bits), dtype=np.uint32) * np.uint32(bits)
    words = np.moveaxis(packed.view(np.uint32), axis, -1)[..., None]
    codes = ((words >> places) & np.uint32((1 << bits) - 1)).astype(np.uint8)
    return np.moveaxis(codes.reshape(*codes.shape[:-2], -1), -1, axis)
