"""The claims of the masks page: what a mask hides, how completely, and what its shape saves."""

from __future__ import annotations

from collections.abc import Iterable

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.text import tr
from core.topics.masks.result import MasksResult, Transposed
from core.wording import missing, provenance, quantity

_TOLERANCE = 1e-9


def hides_pads(result: MasksResult) -> Finding:
    """Holds when replaced pads change no output under the mask, and do without it."""
    names = ("padding.change", "padding.change_unmasked", "padding.alignment_error")
    if untested := missing(result, *names):
        return untested
    hidden = result.value(names[0]) == 0 and result.value(names[1]) > 0
    evidence = (
        f"When the pads of a batch are replaced by other numbers, outputs of real tokens change by "
        f"{quantity(result, names[0])} with ~padding and by up to {quantity(result, names[1])} without it; padded to "
        f"one length and computed together, the sequences differ from each computed alone by "
        f"{quantity(result, names[2])} at most ({provenance(result, names[0])})."
    )
    return Finding(Verdict.HOLDS if hidden else Verdict.DOES_NOT_HOLD, evidence)


def hides_the_future(result: MasksResult) -> Finding:
    """Holds when replaced later tokens change no earlier output, and no gradient flows to them."""
    names = ("future.change", "future.change_unmasked", "future.gradient")
    if untested := missing(result, *names):
        return untested
    hidden = result.value(names[0]) == 0 == result.value(names[2]) and result.value(names[1]) > 0
    evidence = (
        f"When every token after the middle is replaced, the outputs before it change by {quantity(result, names[0])} "
        f"under causal and by up to {quantity(result, names[1])} without a mask; their gradient with respect to later "
        f"keys and values is {quantity(result, names[2])} ({provenance(result, names[0])})."
    )
    return Finding(Verdict.HOLDS if hidden else Verdict.DOES_NOT_HOLD, evidence)


def weigh_exactly_zero(result: MasksResult) -> Finding:
    """Holds when the largest softmax weight at a hidden cell is 0, not merely small."""
    names = ("masked.largest_weight", "masked.cells")
    if untested := missing(result, *names):
        return untested
    cells = result.value(names[1])
    if not cells:
        return Finding(
            Verdict.NOT_TESTED,
            "This mask hides no cell in a row that sees something: pick one that does, such as causal.",
        )
    evidence = (
        f"The largest of {cells:,.0f} weights at hidden cells is {quantity(result, names[0])} in "
        f"{result.params.dtype} ({provenance(result, names[0])}): exp(-inf) is 0 exactly."
    )
    return Finding(Verdict.HOLDS if result.value(names[0]) == 0 else Verdict.DOES_NOT_HOLD, evidence)


def fully_masked_rows_give_nan(result: MasksResult) -> Finding:
    """It would hold if every implementation gave NaN in rows that see nothing."""
    if untested := missing(result, "fully_masked.rows", "fully_masked.naive_nan_rows"):
        return untested
    implementations = {"dense scores plus mask": "naive", "SDPA with a bool mask": "sdpa", "FlexAttention": "flex"}
    rows = result.value("fully_masked.rows")
    counts = {who: result.value(f"fully_masked.{name}_nan_rows") for who, name in implementations.items()}
    zeros = {who: result.value(f"fully_masked.{name}_zero_rows") for who, name in implementations.items()}
    evidence = (
        f"Of {rows:,.0f} rows that see nothing, "
        + "; ".join(f"{who} gives NaN in {counts[who]:,.0f} and zeros in {zeros[who]:,.0f}" for who in implementations)
        + f" ({provenance(result, 'fully_masked.naive_nan_rows')})."
    )
    if "fully_masked.sparse_nan_rows" in result.metrics:
        evidence += (
            f" The block-sparse kernel gives NaN in {result.value('fully_masked.sparse_nan_rows'):,.0f} and zeros in "
            f"{result.value('fully_masked.sparse_zero_rows'):,.0f} "
            f"({provenance(result, 'fully_masked.sparse_nan_rows')})."
        )
    everyone = all(count == rows for count in counts.values())
    return Finding(Verdict.HOLDS if everyone else Verdict.DOES_NOT_HOLD, evidence)


def is_symmetric(result: MasksResult) -> Finding:
    """It would hold if every square mask equalled its transpose; causal is the first that does not."""
    causal = next((row for row in result.symmetry if row.mask == "causal"), None)
    if causal is None:
        return Finding(Verdict.NOT_TESTED, "This run compared no mask with its transpose: run the page to the end.")
    symmetric = [row for row in result.symmetry if row.symmetric and row.mask != "this mask"]
    n = round(causal.cells**0.5)
    evidence = (
        f"The causal mask and its transpose differ in {causal.differing:,} of {causal.cells:,} cells, every one "
        f"off the diagonal ({n} x {n - 1} = {n * (n - 1):,}; counted): it is lower-triangular. Those without a "
        f"direction can be symmetric: {_named(symmetric)}."
    )
    return Finding(Verdict.HOLDS if causal.symmetric else Verdict.DOES_NOT_HOLD, evidence)


def bidirectional_is_symmetric(result: MasksResult) -> Finding:
    """Holds, with a limit, when a mask without pads and direction equals its transpose: pads break it by rows."""
    if untested := missing(result, "symmetry.all", "symmetry.padding", "symmetry.padding_both"):
        return untested
    every, keys_only, both = (
        result.value(name) for name in ("symmetry.all", "symmetry.padding", "symmetry.padding_both")
    )
    evidence = (
        f"Cells that differ from the transpose (counted): {every:,.0f} without pads, {keys_only:,.0f} with ~padding, "
        f"which hides the columns of pads and leaves their rows, {both:,.0f} when their rows are hidden as well."
    )
    if every or both:
        return Finding(Verdict.DOES_NOT_HOLD, evidence)
    return Finding(Verdict.HOLDS_WITH_LIMIT if keys_only else Verdict.HOLDS, evidence)


def causal_skips_half(result: MasksResult) -> Finding:
    """Holds, towards a limit, when (n + 1) / 2n of n x n tiles remain: over a half, and nearer with every tile."""
    rows = sorted(result.sweep, key=lambda row: row.tiles)
    if len(rows) < 2:
        return Finding(Verdict.NOT_TESTED, "No kernel was traced here: that needs Triton.")
    shares = " / ".join(f"{row.share:.1%}" for row in rows)
    sizes = " / ".join(f"{row.tiles}" for row in rows)
    exact = all(abs(row.share - row.predicted_share) < _TOLERANCE for row in rows)
    last = rows[-1]
    evidence = (
        f"With n x n tiles, n = {sizes}, the flash kernel computes {shares} of them (traced), which is (n + 1) / 2n"
        f"{'' if exact else ' only roughly'}: at n = {last.tiles} it skips {1 - last.share:.1%}, and a half only "
        "as n grows, since the tiles on the diagonal are computed in full."
    )
    return Finding(Verdict.HOLDS_WITH_LIMIT if exact else Verdict.DOES_NOT_HOLD, evidence)


def saves_bytes(result: MasksResult) -> Finding:
    """Holds when the kernel moves no more bytes with the mask than without; equal when no tile is empty."""
    names = ("dense.hbm_bytes", "sparse.hbm_bytes")
    if untested := missing(result, *names):
        return untested
    dense, sparse = (result.value(name) for name in names)
    evidence = (
        f"Without a mask the flash kernel moves {quantity(result, names[0])}, with it and its tile lists "
        f"{quantity(result, names[1])} ({provenance(result, names[1])}); {quantity(result, 'tiles.empty')} of "
        f"{quantity(result, 'tiles')} are empty, and {quantity(result, 'sparsity')} of the cells are hidden."
    )
    if sparse < dense:
        return Finding(Verdict.HOLDS, evidence)
    if not result.value("tiles.empty"):
        return Finding(Verdict.HOLDS_WITH_LIMIT, f"{evidence} Without an empty tile there is nothing to save.")
    return Finding(Verdict.HOLDS_WITH_LIMIT, f"{evidence} Here the lists cost more than the empty tiles save.")


def _named(rows: Iterable[Transposed]) -> str:
    return ", ".join(f"{row.mask} ({row.expression})" for row in rows) or "here none is"


CLAIMS = (
    Claim(
        id="padding-hides-pads",
        statement=tr(
            "A padding mask lets sequences of different length share a batch: it aligns them and hides the pads.",
        ),
        source="Interview notes; Devlin et al. 2018 (arXiv 1810.04805)",
        test=hides_pads,
    ),
    Claim(
        id="causal-hides-the-future",
        statement=tr(
            "At training the attention mask of a decoder hides the future: a position cannot see the answer.",
        ),
        source="Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.3",
        test=hides_the_future,
    ),
    Claim(
        id="masked-is-exactly-zero",
        statement=tr(
            "Masked positions contribute exactly 0 after softmax.",
        ),
        source="Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.3: illegal connections are set to -inf",
        test=weigh_exactly_zero,
    ),
    Claim(
        id="blind-rows-are-nan",
        statement=tr(
            "A row in which everything is masked always comes out as NaN.",
        ),
        source="Often said; true of a plain softmax, 0 / 0, and of nothing that guards the division",
        test=fully_masked_rows_give_nan,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="mask-is-symmetric",
        statement=tr("The attention mask is a symmetric matrix."),
        source="Interview notes; contradicted by Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.3",
        test=is_symmetric,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="bidirectional-is-symmetric",
        statement=tr(
            "Masks without a direction (an encoder's, a packed encoder's) are symmetric.",
        ),
        source="What is right about the claim above",
        test=bidirectional_is_symmetric,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
    Claim(
        id="causal-skips-half",
        statement=tr(
            "A causal mask lets a tiled kernel skip about half of the tiles.",
        ),
        source="Dao 2023 (FlashAttention-2, arXiv 2307.08691), section 3.1.1",
        test=causal_skips_half,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
    Claim(
        id="empty-tiles-save-bytes",
        statement=tr("Skipping empty tiles saves HBM traffic, not only FLOPs."),
        source="Dao et al. 2022 (arXiv 2205.14135), section 3.3 and Proposition 4: block-sparse FlashAttention",
        test=saves_bytes,
    ),
)
