"""PTX on bits: permutations, tables, fields, counts. Registers of 32 bits, unless a width is given."""

from __future__ import annotations

import torch

from core.interpreter.ops.ptx_types import mask


def prmt(a: torch.Tensor, b: torch.Tensor, selector: torch.Tensor) -> torch.Tensor:
    """Each byte is one of the eight of `b` and `a`, or its sign in all bits where the selector's fourth bit is set."""
    both, result = a | b << 32, torch.zeros_like(a)
    for place in range(4):
        choice = selector >> (4 * place)
        byte = (both >> (8 * (choice & 7))) & 0xFF
        result = result | torch.where((choice & 8) != 0, (byte >> 7) * 0xFF, byte) << (8 * place)
    return result


def lop3(a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Bit i of the table is the result where the bits of a, b, c are those of i."""
    rows, result = int(table.item()), torch.zeros_like(a)
    for row in range(8):
        if rows >> row & 1:
            result = result | (a if row & 4 else ~a) & (b if row & 2 else ~b) & (c if row & 1 else ~c)
    return result


def shifted_left(a: torch.Tensor, by: torch.Tensor, bits: int) -> torch.Tensor:
    return torch.where(by >= bits, 0, a << by.clamp(max=bits - 1))


def shifted_right(a: torch.Tensor, by: torch.Tensor, bits: int) -> torch.Tensor:
    """Zeros come in."""
    by_at_most = by.clamp(max=bits - 1)
    kept = torch.where(by_at_most == 0, -1, (1 << (64 - by_at_most.clamp(min=1))) - 1)
    return torch.where(by >= bits, 0, (a >> by_at_most) & kept)


def funnel(a: torch.Tensor, b: torch.Tensor, by: torch.Tensor, *, left: bool, wrap: bool) -> torch.Tensor:
    """`b` and `a` as 64 bits, shifted; the upper half of it to the left, the lower to the right."""
    by = by & 31 if wrap else by.clamp(max=32)
    return (a | b << 32) >> (32 - by if left else by)


def field(a: torch.Tensor, position: torch.Tensor, length: torch.Tensor, *, signed: bool) -> torch.Tensor:
    """bfe. Beyond the highest bit are zeros, or signs if `signed` (then `a` has its sign)."""
    start, size = (position & 0xFF).clamp(max=32), (length & 0xFF).clamp(max=32)
    result = (a >> start) & ((1 << size) - 1)
    if not signed:
        return result
    sign = 1 << (size - 1).clamp(min=0)
    return torch.where(size == 0, 0, (result ^ sign) - sign)


def inserted(a: torch.Tensor, b: torch.Tensor, position: torch.Tensor, length: torch.Tensor) -> torch.Tensor:
    """bfi: the lowest `length` bits of `a` in place of those of `b` from `position` on."""
    start, size = (position & 0xFF).clamp(max=32), (length & 0xFF).clamp(max=32)
    place = (((1 << size) - 1) << start) & mask(32)
    return (b & ~place) | ((a << start) & place)


def set_bits(a: torch.Tensor, bits: int) -> torch.Tensor:
    result = torch.zeros_like(a)
    for place in range(bits):
        result = result + (a >> place & 1)
    return result


def leading_zeros(a: torch.Tensor, bits: int) -> torch.Tensor:
    result = torch.full_like(a, bits)
    for place in range(bits):
        result = torch.where(a >> place & 1 != 0, bits - 1 - place, result)
    return result


def reversed_bits(a: torch.Tensor, bits: int) -> torch.Tensor:
    result = torch.zeros_like(a)
    for place in range(bits):
        result = result | (a >> place & 1) << (bits - 1 - place)
    return result


def nth_set(a: torch.Tensor, base: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
    """fns: where the offset-th set bit is from `base` on, upwards or (negative) downwards; -1 if there is none."""
    found = torch.where(((a >> base.clamp(0, 31)) & 1 != 0) & (offset == 0) & (base < 32), base, -1)
    for direction, places in ((1, range(32)), (-1, range(31, -1, -1))):
        count = torch.zeros_like(found)
        for place in places:
            hit = (a >> place & 1 != 0) & (direction * (place - base) >= 0)
            count = count + hit
            found = torch.where(hit & (count == direction * offset) & (offset != 0), place, found)
    return found
