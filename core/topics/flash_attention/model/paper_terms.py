"""What each step of attention moves and computes in the configuration of the paper's Figure 2, one line a step.

Standard attention: Algorithms 0 (forward) and 3 (backward) of Dao et al. 2022, with the mask on S and the dropout on P
that the paper names as further passes (section 2.2), each an operation of its own. FlashAttention: Algorithms 1 and 4,
line by line; mask and dropout happen on chip. N rows of d elements, fp16; the softmax statistics m and l are fp32.
"""

from __future__ import annotations

from dataclasses import dataclass

SEQ_LEN, HEAD_DIM, HEADS, BATCH = 1024, 64, 16, 64
SRAM_BYTES = 192 * 1024
"""SRAM of one SM of the A100, as section 2.1 of the paper states it."""
_PAIRS = HEADS * BATCH
_FP16, _FP32 = 2, 4

UNITS: dict[str, int] = {
    "N² scores (fp16)": SEQ_LEN * SEQ_LEN * _PAIRS * _FP16,
    "N² mask bytes": SEQ_LEN * SEQ_LEN * _PAIRS,
    "N×d matrix (fp16)": SEQ_LEN * HEAD_DIM * _PAIRS * _FP16,
    "N statistics (fp32)": SEQ_LEN * _PAIRS * _FP32,
    "N×N×d product, all heads": 2 * SEQ_LEN * SEQ_LEN * HEAD_DIM * _PAIRS,
    "operation per score, all heads": SEQ_LEN * SEQ_LEN * _PAIRS,
}
"""Bytes, or FLOPs (two a multiply-add), of one of each, for all 16 heads of all 64 sequences."""

_SCORES, _MASK, _MATRIX, _STATISTICS, _PRODUCT, _PER_SCORE = UNITS


@dataclass(frozen=True)
class Term:
    """`count` times the unit `of`; `amount` is in bytes for the quantity 'HBM', in FLOPs for 'FLOP'."""

    kernel: str
    quantity: str
    phase: str
    what: str
    count: float
    of: str

    @property
    def amount(self) -> float:
        return self.count * UNITS[self.of]


def kv_tile_rows(sram_bytes: int = SRAM_BYTES) -> int:
    """B_c = ceil(M / 4d), with M in elements (Algorithm 1, line 1)."""
    return -(-sram_bytes // _FP16 // (4 * HEAD_DIM))


def kv_tiles(sram_bytes: int = SRAM_BYTES) -> int:
    """T_c = ceil(N / B_c) (Algorithm 1, line 3)."""
    return -(-SEQ_LEN // kv_tile_rows(sram_bytes))


def standard_hbm_terms() -> tuple[Term, ...]:
    """The passes of standard attention over HBM."""
    forward = (
        ("S = QKᵀ: Q, K read", 2, _MATRIX),
        ("S = QKᵀ: S written", 1, _SCORES),
        ("causal mask in place: S read and written", 2, _SCORES),
        ("P = softmax(S): S read, P written", 2, _SCORES),
        ("dropout: P read, dropped P written", 2, _SCORES),
        ("dropout: its mask written", 1, _MASK),
        ("O = PV: dropped P read", 1, _SCORES),
        ("O = PV: V read, O written", 2, _MATRIX),
    )
    backward = (
        ("dV = PᵀdO: dropped P read", 1, _SCORES),
        ("dV = PᵀdO: dO read, dV written", 2, _MATRIX),
        ("dP = dOVᵀ: dO, V read", 2, _MATRIX),
        ("dP = dOVᵀ: dP written", 1, _SCORES),
        ("dropout: dP read and written", 2, _SCORES),
        ("dropout: its mask read", 1, _MASK),
        ("dS = P∘(dP - D): P, dP read, dS written (0 where masked: the mask needs no pass)", 3, _SCORES),
        ("dQ = dSK: dS read", 1, _SCORES),
        ("dQ = dSK: K read, dQ written", 2, _MATRIX),
        ("dK = dSᵀQ: dS read", 1, _SCORES),
        ("dK = dSᵀQ: Q read, dK written", 2, _MATRIX),
    )
    return _terms("standard", "HBM", forward, backward)


def flash_hbm_terms(tiles: float | None = None) -> tuple[Term, ...]:
    """The passes of FlashAttention over HBM, for `tiles` KV tiles (T_c, a fraction where some are skipped)."""
    visits = kv_tiles() if tiles is None else tiles
    forward = (
        ("line 2: O set to zero in HBM", 1, _MATRIX),
        ("line 2: l, m set in HBM", 2, _STATISTICS),
        ("line 6: K, V read once", 2, _MATRIX),
        (f"line 8: Q, O read for each of {visits:g} KV tiles", 2 * visits, _MATRIX),
        (f"line 8: l, m read for each of {visits:g} KV tiles", 2 * visits, _STATISTICS),
        (f"line 12: O written for each of {visits:g} KV tiles", visits, _MATRIX),
        (f"line 13: l, m written for each of {visits:g} KV tiles", 2 * visits, _STATISTICS),
    )
    backward = (
        ("line 5: dQ set to zero in HBM", 1, _MATRIX),
        ("line 7: K, V read once", 2, _MATRIX),
        (f"line 10: Q, O, dO, dQ read for each of {visits:g} KV tiles", 4 * visits, _MATRIX),
        (f"line 10: l, m read for each of {visits:g} KV tiles", 2 * visits, _STATISTICS),
        (f"line 21: dQ written for each of {visits:g} KV tiles", visits, _MATRIX),
        ("line 24: dK, dV written once", 2, _MATRIX),
    )
    return _terms("flash", "HBM", forward, backward)


def flop_terms(kernel: str, heads_counted: int = HEADS) -> tuple[Term, ...]:
    """The arithmetic: products for `heads_counted` of the 16 heads, operations on each score for all of them.

    What FlashAttention recomputes of the softmax in its backward pass is not counted.
    """
    share = heads_counted / HEADS
    recomputed = (("S recomputed", share, _PRODUCT),) if kernel == "flash" else ()
    forward = (
        ("QKᵀ, PV", 2 * share, _PRODUCT),
        ("scale, mask, maximum, subtract, exponential, sum, divide, dropout", 8, _PER_SCORE),
    )
    backward = (
        ("dV, dP, dQ, dK", 4 * share, _PRODUCT),
        *recomputed,
        ("dropout, P∘dP, its row sum, subtract, times P, scale", 6, _PER_SCORE),
    )
    return _terms(kernel, "FLOP", forward, backward)


def _terms(
    kernel: str,
    quantity: str,
    forward: tuple[tuple[str, float, str], ...],
    backward: tuple[tuple[str, float, str], ...],
) -> tuple[Term, ...]:
    return tuple(
        Term(kernel, quantity, phase, what, count, of)
        for phase, lines in (("forward", forward), ("backward", backward))
        for what, count, of in lines
    )
