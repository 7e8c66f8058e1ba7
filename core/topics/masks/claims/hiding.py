"""Claims on what a mask hides: pads, the future, and how completely."""

from __future__ import annotations

from core.contracts.claims import Claim, Finding, Verdict
from core.contracts.result import Result
from core.contracts.text import Text
from core.wording import missing, provenance, quantity


def hides_pads(result: Result) -> Finding:
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


def hides_the_future(result: Result) -> Finding:
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


def weigh_exactly_zero(result: Result) -> Finding:
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
        f"{result.params['dtype']} ({provenance(result, names[0])}): exp(-inf) is 0 exactly."
    )
    return Finding(Verdict.HOLDS if result.value(names[0]) == 0 else Verdict.DOES_NOT_HOLD, evidence)


def blind_rows_give_nan(result: Result) -> Finding:
    """It would hold if every implementation gave NaN in rows that see nothing."""
    if untested := missing(result, "blind.rows", "blind.naive_nan_rows"):
        return untested
    told = {"dense scores plus mask": "naive", "SDPA with a bool mask": "sdpa", "FlexAttention": "flex"}
    rows = result.value("blind.rows")
    counts = {who: result.value(f"blind.{name}_nan_rows") for who, name in told.items()}
    zeros = {who: result.value(f"blind.{name}_zero_rows") for who, name in told.items()}
    evidence = (
        f"Of {rows:,.0f} rows that see nothing, "
        + "; ".join(f"{who} gives NaN in {counts[who]:,.0f} and zeros in {zeros[who]:,.0f}" for who in told)
        + f" ({provenance(result, 'blind.naive_nan_rows')})."
    )
    if "blind.sparse_nan_rows" in result.metrics:
        evidence += (
            f" The block-sparse kernel gives NaN in {result.value('blind.sparse_nan_rows'):,.0f} and zeros in "
            f"{result.value('blind.sparse_zero_rows'):,.0f} ({provenance(result, 'blind.sparse_nan_rows')})."
        )
    everyone = all(count == rows for count in counts.values())
    return Finding(Verdict.HOLDS if everyone else Verdict.DOES_NOT_HOLD, evidence)


HIDING_CLAIMS = (
    Claim(
        id="padding-hides-pads",
        statement=Text(
            "A padding mask lets sequences of different length share a batch: it aligns them and hides the pads.",
            "padding 掩码让不同长度的序列能放进同一个 batch：对齐长度，并遮住 pad。",
        ),
        source="Interview notes; Devlin et al. 2018 (arXiv 1810.04805)",
        test=hides_pads,
    ),
    Claim(
        id="causal-hides-the-future",
        statement=Text(
            "At training the attention mask of a decoder hides the future: a position cannot see the answer.",
            "训练时解码器的注意力掩码遮住未来信息：当前位置看不到答案。",
        ),
        source="Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.3",
        test=hides_the_future,
    ),
    Claim(
        id="masked-is-exactly-zero",
        statement=Text(
            "Masked positions contribute exactly 0 after softmax.",
            "被遮住的位置经过 softmax 后贡献恰好为 0。",
        ),
        source="Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.3: illegal connections are set to -inf",
        test=weigh_exactly_zero,
    ),
    Claim(
        id="blind-rows-are-nan",
        statement=Text(
            "A row in which everything is masked always comes out as NaN.",
            "整行都被遮住时，输出必然是 NaN。",
        ),
        source="Often said; true of a plain softmax, 0 / 0, and of nothing that guards the division",
        test=blind_rows_give_nan,
        expected=Verdict.DOES_NOT_HOLD,
    ),
)
