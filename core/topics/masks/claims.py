"""The claims of the masks page: what a mask hides, how completely, and what its shape saves."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import Text, listed, sentences, tr, tr_in, verbatim
from core.topics.masks.result import MasksResult, Transposed
from core.wording import missing, provenance, quantity

_TOLERANCE = 1e-9
_IMPLEMENTATIONS = {
    "naive": tr("dense scores plus mask"),
    "sdpa": tr("SDPA with a bool mask"),
    "flex": verbatim("FlexAttention"),
}

_NAMES = {
    "bidirectional": tr("bidirectional"),
    "packed encoder": tr("packed encoder"),
    "pads hidden both ways": tr("pads hidden both ways"),
}
"""What the masks of `symmetry` are called that are not presets; a preset goes by its id."""


def hides_pads(result: MasksResult) -> Finding:
    """Holds when replacing the pads changes no output with the mask, but does without it."""
    names = ("padding.change", "padding.change_unmasked", "padding.alignment_error")
    if untested := missing(result, *names):
        return untested
    hidden = result.value(names[0]) == 0 and result.value(names[1]) > 0
    evidence = tr(
        "Replacing the pads of a batch by other values changes the outputs of real tokens by {masked} with ~padding "
        "and by up to {unmasked} without it. Sequences that are padded to one length and computed as a batch differ "
        "from the same sequences computed alone by at most {difference} ({provenance}).",
        masked=quantity(result, names[0]),
        unmasked=quantity(result, names[1]),
        difference=quantity(result, names[2]),
        provenance=provenance(result, names[0]),
    )
    return Finding(Verdict.HOLDS if hidden else Verdict.DOES_NOT_HOLD, evidence)


def hides_the_future(result: MasksResult) -> Finding:
    """Holds when replacing later tokens changes no earlier output, and no gradient flows to them."""
    names = ("future.change", "future.change_unmasked", "future.gradient")
    if untested := missing(result, *names):
        return untested
    hidden = result.value(names[0]) == 0 == result.value(names[2]) and result.value(names[1]) > 0
    evidence = tr(
        "Replacing every token after the middle changes the outputs before it by {masked} with a causal mask and by up "
        "to {unmasked} without a mask. The gradient of these outputs with respect to later keys and values is "
        "{gradient} ({provenance}).",
        masked=quantity(result, names[0]),
        unmasked=quantity(result, names[1]),
        gradient=quantity(result, names[2]),
        provenance=provenance(result, names[0]),
    )
    return Finding(Verdict.HOLDS if hidden else Verdict.DOES_NOT_HOLD, evidence)


def masked_weights_are_zero(result: MasksResult) -> Finding:
    """Holds when the largest softmax weight at a hidden cell is 0, not merely small."""
    names = ("masked.largest_weight", "masked.cells")
    if untested := missing(result, *names):
        return untested
    cells = result.value(names[1])
    if not cells:
        return Finding(
            Verdict.NOT_TESTED,
            tr("This mask hides no cell in a row that sees a key: choose a mask that does, such as causal."),
        )
    evidence = tr(
        "The largest of {cells:,.0f} weights at hidden cells is {weight} in {dtype} ({provenance}): exp(-inf) is "
        "exactly 0.",
        cells=cells,
        weight=quantity(result, names[0]),
        dtype=result.params.dtype,
        provenance=provenance(result, names[0]),
    )
    return Finding(Verdict.HOLDS if result.value(names[0]) == 0 else Verdict.DOES_NOT_HOLD, evidence)


def fully_masked_rows_give_nan(result: MasksResult) -> Finding:
    """It would hold if every implementation gave NaN in fully masked rows."""
    if untested := missing(result, "fully_masked.rows", "fully_masked.naive_nan_rows"):
        return untested
    rows = result.value("fully_masked.rows")
    outcomes = [_outcome(result, name, label) for name, label in _IMPLEMENTATIONS.items()]
    evidence = tr(
        "Of {rows:,.0f} fully masked rows, {outcomes} ({provenance}).",
        rows=rows,
        outcomes=listed(outcomes),
        provenance=provenance(result, "fully_masked.naive_nan_rows"),
    )
    if "fully_masked.sparse_nan_rows" in result.metrics:
        sparse = tr(
            "The block-sparse kernel gives NaN in {nan:,.0f} and zeros in {zero:,.0f} ({provenance}).",
            nan=result.value("fully_masked.sparse_nan_rows"),
            zero=result.value("fully_masked.sparse_zero_rows"),
            provenance=provenance(result, "fully_masked.sparse_nan_rows"),
        )
        evidence = sentences(evidence, sparse)
    always_nan = all(result.value(f"fully_masked.{name}_nan_rows") == rows for name in _IMPLEMENTATIONS)
    return Finding(Verdict.HOLDS if always_nan else Verdict.DOES_NOT_HOLD, evidence)


def _outcome(result: MasksResult, name: str, label: Text) -> Text:
    return tr(
        "{implementation} gives NaN in {nan:,.0f} and zeros in {zero:,.0f}",
        implementation=label,
        nan=result.value(f"fully_masked.{name}_nan_rows"),
        zero=result.value(f"fully_masked.{name}_zero_rows"),
    )


def is_symmetric(result: MasksResult) -> Finding:
    """It would hold if every square mask equalled its transpose; causal is the first that does not."""
    causal = next((row for row in result.symmetry if row.mask == "causal"), None)
    if causal is None:
        return Finding(Verdict.NOT_TESTED, tr("This run compared no mask with its transpose: run the page to the end."))
    n = round(causal.cells**0.5)
    values = {
        "differing": causal.differing,
        "cells": causal.cells,
        "rows": n,
        "others": n - 1,
        "product": n * (n - 1),
    }
    symmetric = [row for row in result.symmetry if row.symmetric and row.mask != "this mask"]
    evidence = tr(
        "The causal mask and its transpose differ in {differing:,} of {cells:,} cells, all of them off the diagonal "
        "({rows} x {others} = {product:,}; counted): the mask is lower-triangular.",
        **values,
    )
    if symmetric:
        named = listed(
            tr_in("mask", "{name} ({expression})", name=_name(row), expression=row.expression) for row in symmetric
        )
        evidence = sentences(evidence, tr("Masks without a direction can be symmetric: {masks}.", masks=named))
    return Finding(Verdict.HOLDS if causal.symmetric else Verdict.DOES_NOT_HOLD, evidence)


def _name(row: Transposed) -> Text:
    return _NAMES.get(row.mask) or verbatim(row.mask)


def bidirectional_is_symmetric(result: MasksResult) -> Finding:
    """Holds, with a limit, when a mask without pads or direction equals its transpose: rows of pads break it."""
    if untested := missing(result, "symmetry.all", "symmetry.padding", "symmetry.padding_both"):
        return untested
    every, keys_only, both = (
        result.value(name) for name in ("symmetry.all", "symmetry.padding", "symmetry.padding_both")
    )
    evidence = tr(
        "Cells that differ from the transpose (counted): {every:,.0f} without pads, {keys_only:,.0f} with ~padding, "
        "which hides the columns of pads but not their rows, {both:,.0f} when their rows are hidden as well.",
        every=every,
        keys_only=keys_only,
        both=both,
    )
    if every or both:
        return Finding(Verdict.DOES_NOT_HOLD, evidence)
    return Finding(Verdict.HOLDS_WITH_LIMIT if keys_only else Verdict.HOLDS, evidence)


def causal_skips_half(result: MasksResult) -> Finding:
    """Holds, with a limit, when (n + 1) / 2n of n x n tiles remain: more than half, and closer to it as n grows."""
    rows = sorted(result.sweep, key=lambda row: row.tiles)
    if len(rows) < 2:
        return Finding(Verdict.NOT_TESTED, tr("No kernel was traced: install Triton and run again."))
    exact = all(abs(row.share - row.predicted_share) < _TOLERANCE for row in rows)
    last = rows[-1]
    sizes, shares = " / ".join(f"{row.tiles}" for row in rows), " / ".join(f"{row.share:.1%}" for row in rows)
    if exact:
        share = tr(
            "With n x n tiles, n = {sizes}, the flash kernel computes {shares} of them (traced), which is "
            "(n + 1) / 2n.",
            sizes=sizes,
            shares=shares,
        )
    else:
        share = tr(
            "With n x n tiles, n = {sizes}, the flash kernel computes {shares} of them (traced), which is only roughly "
            "(n + 1) / 2n.",
            sizes=sizes,
            shares=shares,
        )
    skipped = tr(
        "At n = {tiles} it skips {skipped:.1%}. The skipped share approaches one half only as n grows, because the "
        "tiles on the diagonal are computed in full.",
        tiles=last.tiles,
        skipped=1 - last.share,
    )
    return Finding(Verdict.HOLDS_WITH_LIMIT if exact else Verdict.DOES_NOT_HOLD, sentences(share, skipped))


def saves_bytes(result: MasksResult) -> Finding:
    """Holds when the kernel moves fewer bytes with the mask than without; limited when it does not."""
    names = ("dense.hbm_bytes", "sparse.hbm_bytes")
    if untested := missing(result, *names):
        return untested
    dense, sparse = (result.value(name) for name in names)
    evidence = tr(
        "Without a mask the flash kernel moves {dense}; the block-sparse kernel, tile lists included, moves {sparse} "
        "({provenance}). Of {tiles:,.0f} tiles, {empty:,.0f} are empty, and {sparsity} of the cells are hidden.",
        dense=quantity(result, names[0]),
        sparse=quantity(result, names[1]),
        provenance=provenance(result, names[1]),
        tiles=result.value("tiles"),
        empty=result.value("tiles.empty"),
        sparsity=quantity(result, "sparsity"),
    )
    if sparse < dense:
        return Finding(Verdict.HOLDS, evidence)
    if not result.value("tiles.empty"):
        reason = tr("Without empty tiles there is nothing to save.")
    else:
        reason = tr("Here the tile lists cost more than the empty tiles save.")
    return Finding(Verdict.HOLDS_WITH_LIMIT, sentences(evidence, reason))


CLAIMS = (
    Claim(
        id="padding-hides-pads",
        statement=tr(
            "A padding mask lets sequences of different lengths share a batch: it aligns them and hides the pads.",
        ),
        source=tr("Often taught; confirmed by Devlin et al. 2018 (BERT, arXiv 1810.04805) and its reference code"),
        test=hides_pads,
    ),
    Claim(
        id="causal-hides-the-future",
        statement=tr(
            "During training, the attention mask of a decoder hides the future: no position can see its answer.",
        ),
        source=tr("Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.3"),
        test=hides_the_future,
    ),
    Claim(
        id="masked-is-exactly-zero",
        statement=tr(
            "Masked positions contribute exactly 0 after softmax.",
        ),
        source=tr("Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.3: illegal connections are set to -inf"),
        test=masked_weights_are_zero,
    ),
    Claim(
        id="blind-rows-are-nan",
        statement=tr(
            "The output of a fully masked row is always NaN.",
        ),
        source=tr("Often taught; corrected by PyTorch pull request 133882, after which SDPA gives zeros in such rows"),
        test=fully_masked_rows_give_nan,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="mask-is-symmetric",
        statement=tr("The attention mask is a symmetric matrix."),
        source=tr("Often taught; corrected by Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.3"),
        test=is_symmetric,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="bidirectional-is-symmetric",
        statement=tr(
            "Masks without a direction (those of an encoder, packed or not) are symmetric.",
        ),
        source=tr("Devlin et al. 2018 (BERT, arXiv 1810.04805); Krell et al. 2021 (packing, arXiv 2107.02027)"),
        test=bidirectional_is_symmetric,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
    Claim(
        id="causal-skips-half",
        statement=tr(
            "A causal mask lets a tiled kernel skip about half of the tiles.",
        ),
        source=tr("Dao 2023 (FlashAttention-2, arXiv 2307.08691), section 3.1.1"),
        test=causal_skips_half,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
    Claim(
        id="empty-tiles-save-bytes",
        statement=tr("Skipping empty tiles saves HBM traffic, not only FLOPs."),
        source=tr("Dao et al. 2022 (arXiv 2205.14135), section 3.3 and Proposition 4: block-sparse FlashAttention"),
        test=saves_bytes,
    ),
)
