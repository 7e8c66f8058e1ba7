"""Figure 2 of the FlashAttention paper (Dao et al. 2022, arXiv 2205.14135), rebuilt from formulas.

GPT-2 medium: N = 1024, d = 64, 16 heads, batch 64, A100, one attention layer, forward and backward. The paper prints
the numbers of `PUBLISHED` and not how it counted them. Bytes follow from its algorithms (paper_terms.py). FLOPs, taken
at the word of the caption, are 12 and 14 N² d for each of 1,024 heads: 825 and 962 GFLOP; the first author puts the
printed figures down to a factor and to FLOPs of the softmax (github.com/Dao-AILab/flash-attention, issue 741). The
`reconstruction` is the plainest count that gives what is printed: products of one head in 16, and 14 operations a
score for all heads. `ALTERNATIVES` says what other readings give, so that nobody need trust the choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from core.hardware.gpus import gpu
from core.hardware.roofline import roofline
from core.topics.flash_attention.model.paper_terms import (
    HEAD_DIM,
    HEADS,
    SEQ_LEN,
    UNITS,
    Term,
    flash_hbm_terms,
    flop_terms,
    kv_tile_rows,
    kv_tiles,
    standard_hbm_terms,
)
from core.topics.flash_attention.model.tiles import tile_classes

_SHARED_MEMORY_PER_BLOCK_BYTES = 163 * 1024


@dataclass(frozen=True)
class PaperFigure:
    """One number that the paper prints and what the model makes of it, in the same unit."""

    kernel: str
    quantity: str
    unit: str
    published: float
    modelled: float
    assumptions: str

    @property
    def deviation_percent(self) -> float:
        """How far the model lies from the print, signed."""
        return 100 * (self.modelled / self.published - 1)


@dataclass(frozen=True)
class PaperModel:
    """`figures`: the headline. `terms`: how each came about. `alternatives`: what other assumptions would give."""

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
    """The configuration of Figure 2, modelled. The same whatever the page's parameters are."""
    terms = (*standard_hbm_terms(), *flash_hbm_terms(), *flop_terms("standard", 1), *flop_terms("flash", 1))
    reconstruction = "products of one of the 16 heads, 14 operations a score of all heads"
    figures = (
        *(
            _figure(kernel, "FLOP", _giga(terms, kernel, "FLOP"), f"reconstruction: {reconstruction}")
            for kernel in ("standard", "flash")
        ),
        _figure("standard", "HBM", _giga(terms, "standard", "HBM"), "18 passes over N² fp16 scores, 12 over N×d"),
        _figure(
            "flash",
            "HBM",
            _giga(terms, "flash", "HBM"),
            f"Algorithms 1 and 4, {kv_tiles()} KV tiles in 192 KiB of SRAM",
        ),
        *(_time_bound(kernel, _giga(terms, kernel, "HBM")) for kernel in ("standard", "flash")),
    )
    return PaperModel(figures, terms, _alternatives())


def product_gflop(kernel: str) -> float:
    """GFLOP of the matrix products of all heads, forward and backward: 12 N² d a head, 14 with S recomputed."""
    terms = (term for term in flop_terms(kernel) if "product" in term.of)
    return sum(term.amount for term in terms) / 1e9


def _alternatives() -> tuple[PaperFigure, ...]:
    scores, matrix = UNITS["N² scores (fp16)"] / 1e9, UNITS["N×d matrix (fp16)"] / 1e9
    standard = _giga(standard_hbm_terms(), "standard", "HBM")
    flash = _giga(flash_hbm_terms(), "flash", "HBM")
    small_sram = _giga(flash_hbm_terms(kv_tiles(_SHARED_MEMORY_PER_BLOCK_BYTES)), "flash", "HBM")
    skipping = _giga(flash_hbm_terms(_causal_visits()), "flash", "HBM")
    return (
        _figure("standard", "HBM", 11 * scores + 12 * matrix, "no mask and no dropout: Algorithms 0 and 3 alone"),
        _figure("standard", "HBM", standard + 2 * scores, "the mask has a backward pass of its own"),
        _figure("flash", "HBM", flash + 2 * matrix, "dK and dV set to zero in HBM first, as line 5 says"),
        _figure("flash", "HBM", small_sram, "M = 163 KiB, what one block may use: 4 KV tiles"),
        _figure("flash", "HBM", skipping, "tiles above the causal diagonal skipped"),
        *(
            _figure(kernel, "FLOP", product_gflop(kernel), "products of all 16 heads, nothing else")
            for kernel in ("standard", "flash")
        ),
    )


def _causal_visits() -> float:
    """KV tiles that a 64-row Q tile visits on average when tiles above the diagonal are skipped."""
    classes = tile_classes(SEQ_LEN, SEQ_LEN, HEAD_DIM, kv_tile_rows(), causal=True)
    return int(np.count_nonzero(classes)) / len(classes)


def _time_bound(kernel: str, hbm_gb: float) -> PaperFigure:
    bound = roofline(product_gflop(kernel) * 1e9, hbm_gb * 1e9, gpu("a100-40gb"), "fp16")
    return _figure(kernel, "time", bound.time_ms, f"roofline bound ({bound.bound}), products of all {HEADS} heads")


def _figure(kernel: str, quantity: str, modelled: float, assumptions: str) -> PaperFigure:
    return PaperFigure(kernel, quantity, _UNITS[quantity], PUBLISHED[kernel, quantity], modelled, assumptions)


def _giga(terms: Iterable[Term], kernel: str, quantity: str) -> float:
    return sum(term.amount for term in terms if (term.kernel, term.quantity) == (kernel, quantity)) / 1e9
