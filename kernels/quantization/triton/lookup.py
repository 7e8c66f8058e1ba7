"""Steps that the quantization kernels share: looking up levels, searching boundaries, restoring scales."""

# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# Triton functions have no Python types: their arguments are pointers, tiles and compile-time constants.

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def look_up(table, index):
    """table[index], in shared memory: table [size], index int32 [rows, cols]."""
    rows: tl.constexpr = index.shape[0]
    cols: tl.constexpr = index.shape[1]
    return tl.reshape(tl.gather(table, tl.reshape(index, [rows * cols]), 0), [rows, cols])


@triton.jit
def nibbles(words):
    """The eight codes of each 32-bit word, in the order of their weights: int32 [..., words] to [..., words, 8].

    The first of two weights lies in the high bits of a byte, the first byte in the low bits of a word. Joins leave all
    codes with the thread that read the word.
    """
    halves = tl.join(words, words >> 16)
    bytes_ = tl.join(halves, halves >> 8)
    codes = tl.join(bytes_ >> 4, bytes_) & 15
    return tl.reshape(codes, words.shape + [8])  # noqa: RUF005 (Triton unpacks no lists)


@triton.jit
def search_boundaries(boundaries, normalized, BITS: tl.constexpr):
    """The number of ascending boundaries [2^BITS] strictly below each normalized value: a branch-free binary search."""
    index = tl.zeros(normalized.shape, tl.int32)
    for level in tl.static_range(BITS):
        half = 1 << (BITS - 1 - level)
        index += tl.where(normalized > look_up(boundaries, index + (half - 1)), half, 0)
    return index


@triton.jit
def load(ptrs, in_bounds):
    """Load with zeros out of bounds. `in_bounds` is None if everything is in bounds, which keeps accesses wide."""
    if in_bounds is None:
        values = tl.load(ptrs)
    else:
        values = tl.load(ptrs, mask=in_bounds, other=0)
    return values


@triton.jit
def load_scale(absmax_ptr, codes_ptr, levels_ptr, offset_ptr, block, in_bounds, NESTED_BLOCK: tl.constexpr):
    """The scale of each block, float32; with NESTED_BLOCK, restored from its 8-bit code."""
    if NESTED_BLOCK == 0:
        scale = load(absmax_ptr + block, in_bounds)
    else:
        code = load(codes_ptr + block, in_bounds).to(tl.int32)
        absmax = load(absmax_ptr + block // NESTED_BLOCK, in_bounds)
        scale = tl.load(levels_ptr + code) * absmax + tl.load(offset_ptr)
    return scale
