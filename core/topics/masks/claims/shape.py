"""Claims on the shape of a mask: symmetry, and how many tiles it leaves."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Result
from core.contracts.text import Text
from core.wording import missing, provenance, quantity

_TOLERANCE = 1e-9


def is_symmetric(result: Result) -> Finding:
    """It would hold if every square mask equalled its transpose; causal is the first that does not."""
    rows = result.tables.get("symmetry", [])
    causal = next((row for row in rows if row["mask"] == "causal"), None)
    if causal is None:
        return Finding(Verdict.NOT_TESTED, "This run compared no mask with its transpose: run the page to the end.")
    symmetric = [row for row in rows if row["symmetric"] and row["mask"] != "this mask"]
    n = round(causal["cells"] ** 0.5)
    evidence = (
        f"The causal mask and its transpose differ in {causal['differing']:,} of {causal['cells']:,} cells, every one "
        f"off the diagonal ({n} x {n - 1} = {n * (n - 1):,}; counted): it is lower-triangular. Those without a "
        f"direction can be symmetric: {_named(symmetric)}."
    )
    return Finding(Verdict.HOLDS if causal["symmetric"] else Verdict.DOES_NOT_HOLD, evidence)


def bidirectional_is_symmetric(result: Result) -> Finding:
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


def causal_skips_half(result: Result) -> Finding:
    """Holds, towards a limit, when (n + 1) / 2n of n x n tiles remain: over a half, and nearer with every tile."""
    rows = sorted(result.tables.get("sweep", []), key=lambda row: row["tiles"])
    if len(rows) < 2:
        return Finding(Verdict.NOT_TESTED, "No kernel was traced here: that needs Triton.")
    shares = " / ".join(f"{row['share']:.1%}" for row in rows)
    sizes = " / ".join(f"{row['tiles']}" for row in rows)
    exact = all(abs(row["share"] - row["predicted_share"]) < _TOLERANCE for row in rows)
    last = rows[-1]
    evidence = (
        f"With n x n tiles, n = {sizes}, the flash kernel computes {shares} of them (traced), which is (n + 1) / 2n"
        f"{'' if exact else ' only roughly'}: at n = {last['tiles']} it skips {1 - last['share']:.1%}, and a half only "
        "as n grows, since the tiles on the diagonal are computed in full."
    )
    return Finding(Verdict.HOLDS_WITH_LIMIT if exact else Verdict.DOES_NOT_HOLD, evidence)


def saves_bytes(result: Result) -> Finding:
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


def _named(rows: list[dict[str, object]]) -> str:
    return ", ".join(f"{row['mask']} ({row['expression']})" for row in rows) or "here none is"


SHAPE_CLAIMS = (
    Claim(
        id="mask-is-symmetric",
        statement=Text("The attention mask is a symmetric matrix.", "注意力掩码是对称矩阵。"),
        source="Interview notes; contradicted by Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.3",
        test=is_symmetric,
        expected=Verdict.DOES_NOT_HOLD,
    ),
    Claim(
        id="bidirectional-is-symmetric",
        statement=Text(
            "Masks without a direction (an encoder's, a packed encoder's) are symmetric.",
            "没有方向的掩码（编码器、打包的编码器）才是对称的。",
        ),
        source="What is right about the claim above",
        test=bidirectional_is_symmetric,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
    Claim(
        id="causal-skips-half",
        statement=Text(
            "A causal mask lets a tiled kernel skip about half of the tiles.",
            "因果掩码让分块 kernel 跳过约一半的块。",
        ),
        source="Dao 2023 (FlashAttention-2, arXiv 2307.08691), section 3.1.1",
        test=causal_skips_half,
        expected=Verdict.HOLDS_WITH_LIMIT,
    ),
    Claim(
        id="empty-tiles-save-bytes",
        statement=Text(
            "Skipping empty tiles saves HBM traffic, not only FLOPs.", "跳过空块不仅省 FLOPs，也省 HBM 访问。"
        ),
        source="Dao et al. 2022 (arXiv 2205.14135), section 3.3 and Proposition 4: block-sparse FlashAttention",
        test=saves_bytes,
    ),
)
