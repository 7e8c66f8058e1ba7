"""Figure 2 of the FlashAttention paper (Dao et al. 2022, arXiv 2205.14135), rebuilt from formulas.

GPT-2 medium: N = 1024, d = 64, 16 heads, batch 64, A100, one attention layer, forward and backward. The paper prints
the numbers of `PUBLISHED` but not how they were counted. Read literally, the caption gives 12 and 14 N² d FLOPs for
each of 1,024 heads: 825 and 962 GFLOP. The first author attributes the printed figures to a factor and to FLOPs of the
softmax (github.com/Dao-AILab/flash-attention, issue 741). The reconstruction is the simplest count that gives the
printed numbers: products of one head in 16, and 14 operations per score for all heads. The alternatives show what other
readings give, so that the choice can be judged.

Bytes follow from the paper's algorithms. Standard attention: Algorithms 0 (forward) and 3 (backward), with the mask on
S and the dropout on P as separate passes, which the paper mentions (section 2.2). FlashAttention: Algorithms 1 and 4,
line by line; mask and dropout happen on chip. N rows of d elements, fp16; the softmax statistics m and l are fp32.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from core.contracts.text import Text, tr
from core.hardware.gpus import gpu
from core.hardware.roofline import roofline
from core.topics.flash_attention.tiles import tile_classes

SEQ_LEN, HEAD_DIM, HEADS, BATCH = 1024, 64, 16, 64
SRAM_BYTES = 192 * 1024
"""SRAM of one SM of the A100, as section 2.1 of the paper states it."""
_SHARED_MEMORY_PER_BLOCK_BYTES = 163 * 1024
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
"""Bytes, or FLOPs (two per multiply-add), of one unit for all 16 heads of all 64 sequences."""

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


@dataclass(frozen=True)
class PaperFigure:
    """One number that the paper prints and the modelled value in the same unit.

    `quantity` is 'FLOP', 'HBM' or 'time'; `headline` is False for an alternative reading.
    """

    kernel: str
    quantity: str
    unit: str
    published: float
    modelled: float
    assumptions: Text
    headline: bool = True

    @property
    def deviation_percent(self) -> float:
        """The signed deviation of the model from the printed number."""
        return 100 * (self.modelled / self.published - 1)


@dataclass(frozen=True)
class PaperModel:
    """`figures`: the headline figures. `terms`: their parts. `alternatives`: the figures under other assumptions."""

    figures: tuple[PaperFigure, ...]
    terms: tuple[Term, ...]
    alternatives: tuple[PaperFigure, ...]

    def figure(self, kernel: str, quantity: str) -> PaperFigure:
        """The headline figure of 'standard' or 'flash': 'FLOP', 'HBM' or 'time'."""
        return next(f for f in self.figures if (f.kernel, f.quantity) == (kernel, quantity))


PUBLISHED = {
    ("standard", "FLOP"): 66.6,
    ("flash", "FLOP"): 75.2,
    ("standard", "HBM"): 40.3,
    ("flash", "HBM"): 4.4,
    ("standard", "time"): 41.7,
    ("flash", "time"): 7.3,
}
"""GFLOP, GB and ms, as Figure 2 (left) prints them."""
_UNITS = {"FLOP": "GFLOP", "HBM": "GB", "time": "ms"}


@cache
def paper_model() -> PaperModel:
    """The model of Figure 2. It does not depend on the page's parameters."""
    terms = (*standard_hbm_terms(), *flash_hbm_terms(), *flop_terms("standard", 1), *flop_terms("flash", 1))
    reconstruction = tr("reconstruction: products of one of the 16 heads, 14 operations per score for all heads")
    figures = (
        *(_figure(kernel, "FLOP", _giga(terms, kernel, "FLOP"), reconstruction) for kernel in ("standard", "flash")),
        _figure("standard", "HBM", _giga(terms, "standard", "HBM"), tr("18 passes over N² fp16 scores, 12 over N×d")),
        _figure(
            "flash",
            "HBM",
            _giga(terms, "flash", "HBM"),
            tr("Algorithms 1 and 4, M = 192 KiB, which gives {tiles} KV tiles", tiles=kv_tiles()),
        ),
        *(_time_bound(kernel, _giga(terms, kernel, "HBM")) for kernel in ("standard", "flash")),
    )
    return PaperModel(figures, terms, _alternatives())


def product_gflop(kernel: str) -> float:
    """GFLOP of the matrix products of all heads, forward and backward: 12 N² d per head, 14 if S is recomputed."""
    terms = (term for term in flop_terms(kernel) if "product" in term.of)
    return sum(term.amount for term in terms) / 1e9


def _alternatives() -> tuple[PaperFigure, ...]:
    scores, matrix = UNITS["N² scores (fp16)"] / 1e9, UNITS["N×d matrix (fp16)"] / 1e9
    standard = _giga(standard_hbm_terms(), "standard", "HBM")
    flash = _giga(flash_hbm_terms(), "flash", "HBM")
    small_sram = _giga(flash_hbm_terms(kv_tiles(_SHARED_MEMORY_PER_BLOCK_BYTES)), "flash", "HBM")
    skipping = _giga(flash_hbm_terms(_causal_visits()), "flash", "HBM")
    figures = (
        _figure("standard", "HBM", 11 * scores + 12 * matrix, tr("no mask and no dropout: Algorithms 0 and 3 alone")),
        _figure("standard", "HBM", standard + 2 * scores, tr("the mask has a separate backward pass")),
        _figure("flash", "HBM", flash + 2 * matrix, tr("dK and dV set to zero in HBM first, as in line 5")),
        _figure("flash", "HBM", small_sram, tr("M = 163 KiB, the limit of one block, which gives 4 KV tiles")),
        _figure("flash", "HBM", skipping, tr("tiles above the causal diagonal skipped")),
        *(
            _figure(kernel, "FLOP", product_gflop(kernel), tr("products of all 16 heads, nothing else"))
            for kernel in ("standard", "flash")
        ),
    )
    return tuple(replace(figure, headline=False) for figure in figures)


def _causal_visits() -> float:
    """KV tiles that a 64-row Q tile visits on average when tiles above the diagonal are skipped."""
    classes = tile_classes(SEQ_LEN, SEQ_LEN, HEAD_DIM, kv_tile_rows(), causal=True)
    return int(np.count_nonzero(classes)) / len(classes)


def _time_bound(kernel: str, hbm_gb: float) -> PaperFigure:
    bound = roofline(product_gflop(kernel) * 1e9, hbm_gb * 1e9, gpu("a100-40gb"), "fp16")
    if bound.bound == "memory":
        assumptions = tr("roofline bound (memory), products of all {heads} heads", heads=HEADS)
    else:
        assumptions = tr("roofline bound (compute), products of all {heads} heads", heads=HEADS)
    return _figure(kernel, "time", bound.time_ms, assumptions)


def _figure(kernel: str, quantity: str, modelled: float, assumptions: Text) -> PaperFigure:
    return PaperFigure(kernel, quantity, _UNITS[quantity], PUBLISHED[kernel, quantity], modelled, assumptions)


def _giga(terms: Iterable[Term], kernel: str, quantity: str) -> float:
    return sum(term.amount for term in terms if (term.kernel, term.quantity) == (kernel, quantity)) / 1e9


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
    """The arithmetic: products for `heads_counted` of the 16 heads, and operations per score for all of them.

    The softmax that FlashAttention recomputes in its backward pass is not counted.
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
