"""What one program of the flash kernel keeps on chip, and whether the chosen GPU has room for it."""

from __future__ import annotations

from dataclasses import dataclass

from core.hardware.gpus import Gpu
from core.topics.flash_attention.params import FlashAttentionParams

ELEMENT_BYTES = {"fp32": 4, "fp16": 2, "bf16": 2}
_FP32 = 4
REGISTER_FILE_BYTES = {"nvidia": 256 * 1024, "amd": 512 * 1024}
"""Vector registers of one SM (64 Ki of 4 bytes: CUDA C++ Programming Guide, technical specifications per compute
capability, 5.0 to 10.0) or of one CU (four SIMDs of 128 KiB: AMD CDNA3 ISA)."""


@dataclass(frozen=True)
class SramPiece:
    """One tile held on chip by a program. `place` is 'shared memory' or 'registers'."""

    name: str
    shape: tuple[int, ...]
    bytes: int
    place: str


@dataclass(frozen=True)
class SramUse:
    """The working set of one program, without the extra K and V copies of software pipelining. Modelled."""

    pieces: tuple[SramPiece, ...]
    shared_bytes: int
    shared_limit_bytes: int
    register_bytes: int
    register_limit_bytes: int
    sentence: str
    """Why it does not fit and what would do; empty when it fits."""
    field: str | None
    """The parameter to point at when it does not fit."""

    @property
    def fits(self) -> bool:
        return not self.sentence


def sram_use(params: FlashAttentionParams, gpu: Gpu) -> SramUse:
    """Bytes of each piece: Q, K, V in the inputs' type (shared memory); S/P, acc, m and l in fp32 (registers)."""
    element = ELEMENT_BYTES[params.dtype]
    rows, columns, width = params.block_q, params.block_kv, params.head_dim
    pieces = (
        SramPiece("Q", (rows, width), rows * width * element, "shared memory"),
        SramPiece("K", (columns, width), columns * width * element, "shared memory"),
        SramPiece("V", (columns, width), columns * width * element, "shared memory"),
        SramPiece("S/P", (rows, columns), rows * columns * _FP32, "registers"),
        SramPiece("acc", (rows, width), rows * width * _FP32, "registers"),
        SramPiece("m, l", (2, rows), 2 * rows * _FP32, "registers"),
    )
    shared = sum(piece.bytes for piece in pieces if piece.place == "shared memory")
    registers = sum(piece.bytes for piece in pieces if piece.place == "registers")
    register_limit = REGISTER_FILE_BYTES.get(gpu.vendor, REGISTER_FILE_BYTES["nvidia"])
    sentence, field = _objection(params, gpu, shared, registers, register_limit)
    return SramUse(
        pieces=pieces,
        shared_bytes=shared,
        shared_limit_bytes=gpu.shared_memory_per_block_bytes,
        register_bytes=registers,
        register_limit_bytes=register_limit,
        sentence=sentence,
        field=field,
    )


def _objection(
    params: FlashAttentionParams, gpu: Gpu, shared: int, registers: int, register_limit: int
) -> tuple[str, str | None]:
    larger = "block_q" if params.block_q >= params.block_kv else "block_kv"
    tiles = f"Tiles of block_q = {params.block_q} x block_kv = {params.block_kv} at head_dim = {params.head_dim}"
    if shared > gpu.shared_memory_per_block_bytes:
        return (
            f"{tiles} in {params.dtype} need {_kib(shared)} of shared memory, and the {gpu.name} has "
            f"{_kib(gpu.shared_memory_per_block_bytes)} per block: lower {larger}, or use a 16-bit precision."
        ), larger
    if registers > register_limit:
        return (
            f"{tiles} need {_kib(registers)} of registers, and an SM of the {gpu.name} has "
            f"{_kib(register_limit)}: lower {larger}."
        ), larger
    return "", None


def _kib(count: int) -> str:
    """SRAM sizes are powers of two: '163 KiB'."""
    return f"{count / 1024:g} KiB"
