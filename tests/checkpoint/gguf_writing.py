"""GGUF files for tests: written by the package gguf, or their blocks packed by hand as ggml defines them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

RNG = np.random.default_rng(0)

Weights = NDArray[np.float32]
Packed = tuple[bytes, list[float]]
"""One block as ggml stores it, and its weights."""

IQ4_VALUES = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)


def write_gguf(
    path: Path, tensors: Mapping[str, tuple[str, np.ndarray]], architecture: str = "llama", **metadata: object
) -> Path:
    """A file of tensors by name: the type, and the weights (as float32) or, as uint8, their bytes row by row."""
    writer = gguf.GGUFWriter(path, architecture)
    for name, value in {"block_count": 1, **metadata}.items():
        getattr(writer, f"add_{name}")(value)
    for name, (dtype, values) in tensors.items():
        number = gguf.GGMLQuantizationType[dtype]
        codes = values if values.dtype == np.uint8 else gguf.quants.quantize(values, number)
        writer.add_tensor(name, codes, raw_dtype=number)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def normal_weights(*shape: int, seed: int = 0) -> Weights:
    return (0.02 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def q8_0() -> Packed:
    codes = [int(code) for code in RNG.integers(-127, 128, 32)]
    return struct.pack("<e32b", 0.25, *codes), [0.25 * code for code in codes]


def q4_0() -> Packed:
    codes = [int(code) for code in RNG.integers(0, 16, 32)]
    packed = bytes(codes[place] | codes[place + 16] << 4 for place in range(16))
    return struct.pack("<e", -0.5) + packed, [-0.5 * (code - 8) for code in codes]


def q5_0() -> Packed:
    codes = [int(code) for code in RNG.integers(0, 32, 32)]
    fifth = sum((code >> 4) << place for place, code in enumerate(codes))
    packed = bytes(codes[place] & 15 | (codes[place + 16] & 15) << 4 for place in range(16))
    return struct.pack("<eI", 0.125, fifth) + packed, [0.125 * (code - 16) for code in codes]


def iq4_nl() -> Packed:
    codes = [int(code) for code in RNG.integers(0, 16, 32)]
    packed = bytes(codes[place] | codes[place + 16] << 4 for place in range(16))
    return struct.pack("<e", 0.25) + packed, [0.25 * IQ4_VALUES[code] for code in codes]


def q4_k() -> Packed:
    """Eight groups of 32 weights: 4-bit codes, a 6-bit scale and a 6-bit minimum each."""
    codes = RNG.integers(0, 16, (8, 32)).tolist()
    scales, minima = RNG.integers(0, 64, 8).tolist(), RNG.integers(0, 64, 8).tolist()
    packed = [scales[j] | (scales[j + 4] >> 4) << 6 for j in range(4)]
    packed += [minima[j] | (minima[j + 4] >> 4) << 6 for j in range(4)]
    packed += [scales[j] & 15 | (minima[j] & 15) << 4 for j in range(4, 8)]
    nibbles = [codes[2 * pair][i] | codes[2 * pair + 1][i] << 4 for pair in range(4) for i in range(32)]
    weights = [0.5 * scales[j] * codes[j][i] - 0.25 * minima[j] for j in range(8) for i in range(32)]
    return struct.pack("<ee", 0.5, 0.25) + bytes(packed) + bytes(nibbles), weights


def q6_k() -> Packed:
    """Sixteen groups of 16 weights: 6-bit codes and an 8-bit scale each."""
    codes, scales = RNG.integers(0, 64, 256).tolist(), RNG.integers(-128, 128, 16).tolist()
    low, high = [0] * 128, [0] * 64
    for place, code in enumerate(codes):
        half, quarter, i = place // 128, place % 128 // 32, place % 32
        low[64 * half + 32 * (quarter % 2) + i] |= (code & 15) << 4 * (quarter // 2)
        high[32 * half + i] |= (code >> 4) << 2 * quarter
    weights = [0.125 * scales[place // 16] * (code - 32) for place, code in enumerate(codes)]
    return bytes(low) + bytes(high) + struct.pack("<16be", *scales, 0.125), weights


BY_HAND = {"Q8_0": q8_0, "Q4_0": q4_0, "Q5_0": q5_0, "IQ4_NL": iq4_nl, "Q4_K": q4_k, "Q6_K": q6_k}
