"""What is odd about a mask and its text, in sentences: shown beside the picture, never an error."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from core.contracts.text import Text, tr, verbatim
from core.masks import Causal, Documents, Layout, Mask, Padding, Prefix, SameTurn, Turns, Window, terms_of
from core.masks.cost import Cost
from core.masks.lowering import MAX_TERMS, counted_terms
from core.masks.nodes import Ahead, Grouped
from core.masks.tokens import Tokens
from core.topics.masks.params import MAX_LENGTH, MasksParams
from core.topics.masks.positions import Positions


class Weight(StrEnum):
    """How much a warning asks for attention: a fact, or something that is probably not meant."""

    FACT = "fact"
    WARNING = "warning"


@dataclass(frozen=True)
class MaskWarning:
    """One sentence in both languages. `id` is stable, `field` the parameter that it is about, or None."""

    id: str
    weight: Weight
    text: Text
    field: str | None = None


def mask_warnings(
    params: MasksParams, mask: Mask, positions: Positions, sequence: int, counts: NDArray[np.int64], cost: Cost
) -> tuple[MaskWarning, ...]:
    """All warnings, the most important first."""
    layout = positions.layouts[sequence]
    return (
        *_on_rows(layout, counts),
        *_on_terms(mask, layout),
        *_on_text(params, positions),
        *_on_batch(params, mask, positions),
        *_on_tiles(mask, cost),
    )


def _on_rows(layout: Layout, counts: NDArray[np.int64]) -> Iterator[MaskWarning]:
    hidden_rows = int(np.count_nonzero(counts == 0))
    if hidden_rows == counts.size:
        yield MaskWarning(
            "everything-masked",
            Weight.WARNING,
            tr(
                "Everything is masked: no query sees any key, so a softmax would divide zero by zero. The block-sparse "
                "kernel gives zeros and a log-sum-exp of -inf.",
            ),
            "expression",
        )
    elif hidden_rows:
        yield MaskWarning(
            "rows-masked",
            Weight.FACT,
            verbatim(
                f"{hidden_rows:,} of {counts.size:,} queries see no key at all: a plain softmax gives NaN there, the "
                "block-sparse kernel zeros.",
            ),
        )
    elif int(counts.sum()) == layout.query_len * layout.key_len:
        yield MaskWarning(
            "nothing-masked",
            Weight.FACT,
            tr("The mask hides nothing: every query sees every key."),
            "expression",
        )


def _on_terms(mask: Mask, layout: Layout) -> Iterator[MaskWarning]:
    terms = terms_of(mask)
    for term in terms:
        match term:
            case Window(0):
                yield _about_expression(
                    "window-zero",
                    "A window of 0 hides a query's own key and all before it: with causal, nothing is left.",
                    "窗口为 0 会把 query 自己和之前的 key 全部遮住：与 causal 同用时什么也不剩。",
                )
            case Window(count) if count >= layout.key_len:
                yield _about_expression(
                    "window-covers-all",
                    f"{term} is as wide as the {layout.key_len:,} keys: it hides nothing here.",
                    f"{term} 不窄于 {layout.key_len:,} 个 key：在这里什么也没遮。",
                )
            case Prefix(count) if count > layout.key_len:
                yield _about_expression(
                    "prefix-too-long",
                    f"{term} is longer than the {layout.key_len:,} keys: every key is in the prefix, so it is the same "
                    "as all.",
                    f"{term} 比 {layout.key_len:,} 个 key 还长：所有 key 都在前缀里，等同于 all。",
                )
            case Prefix(0):
                yield _about_expression("prefix-zero", "A prefix of 0 holds no key.", "长度为 0 的前缀不含任何 key。")
            case Ahead(count) if count >= layout.key_len:
                yield _about_expression(
                    "ahead-covers-all",
                    f"{term} reaches past the last key: it hides nothing.",
                    f"{term} 超出最后一个 key：什么也没遮。",
                )
            case Documents() | Turns() | SameTurn():
                yield from _on_groups(term, layout)
            case _:
                pass
    yield from _on_padding(terms, layout)


def _on_groups(term: Grouped, layout: Layout) -> Iterator[MaskWarning]:
    if len({int(value) for ids in term.ids(layout) for value in np.unique(ids)}) > 1:
        return
    what, marker = ("document", "<doc>") if isinstance(term, Documents) else ("turn", "<user>")
    yield MaskWarning(
        f"one-{what}",
        Weight.WARNING,
        verbatim(
            f"{term.name} has one {what} only, so it hides nothing: write {marker} where the next one begins"
            f"{' or give lengths' if what == 'document' else ''}.",
        ),
        "query_text",
    )


def _on_padding(terms: tuple[Mask, ...], layout: Layout) -> Iterator[MaskWarning]:
    pads = int(np.count_nonzero(~layout.keys.real))
    if pads and Padding() not in terms:
        yield MaskWarning(
            "pads-visible",
            Weight.WARNING,
            verbatim(
                f"{pads:,} keys are pads and the mask does not mention padding: add & ~padding to hide them.",
            ),
            "expression",
        )
    if not pads and Padding() in terms:
        yield MaskWarning(
            "no-pads",
            Weight.FACT,
            tr(
                "No pad is in this sequence, so padding changes nothing: write <pad> in the text or give lengths.",
            ),
            "query_text",
        )


def _on_text(params: MasksParams, positions: Positions) -> Iterator[MaskWarning]:
    sides: list[tuple[str, str, Tokens, int, int]] = [
        ("query_text", params.query_text, positions.query_text, len(positions.query_labels), params.seq_len)
    ]
    if positions.key_text is not None:
        sides.append(("key_text", params.key_text, positions.key_text, len(positions.key_labels), params.key_len))
    for field, typed, tokens, length, requested in sides:
        if typed and tokens.characters_used == 0:
            yield MaskWarning(
                f"{field}-empty",
                Weight.FACT,
                verbatim(
                    f"The text has no tokens: {length:,} numbered positions are shown.",
                ),
                field,
            )
        elif tokens.is_cut:
            yield MaskWarning(
                f"{field}-cut",
                Weight.WARNING,
                verbatim(
                    f"Of {tokens.characters:,} characters the first {tokens.characters_used:,} are used: they make "
                    f"{len(tokens.labels):,} tokens, and {MAX_LENGTH:,} is the most. The rest stays in the text.",
                ),
                field,
            )
        if requested:
            yield from _on_length(field, len(tokens.labels), requested)


def _on_length(field: str, tokens: int, requested: int) -> Iterator[MaskWarning]:
    length = "seq_len" if field == "query_text" else "key_len"
    if requested < tokens:
        yield MaskWarning(
            f"{field}-shortened",
            Weight.FACT,
            verbatim(
                f"The text has {tokens:,} tokens and {length} takes the first {requested:,}.",
            ),
            length,
        )
    elif requested > tokens:
        yield MaskWarning(
            f"{field}-stretched",
            Weight.FACT,
            verbatim(
                f"The {tokens:,} tokens of the text are stretched over {requested:,} positions; documents, turns and "
                "pads keep their proportions.",
            ),
            length,
        )


def _on_batch(params: MasksParams, mask: Mask, positions: Positions) -> Iterator[MaskWarning]:
    keys = positions.layouts[0].key_len
    if params.lengths and any(length > keys for length in positions.lengths):
        yield MaskWarning(
            "lengths-clipped",
            Weight.WARNING,
            verbatim(
                f"A length of the batch is over the {keys:,} keys that there are: that sequence has no pads.",
            ),
            "lengths",
        )
    if params.sequence >= len(positions.layouts):
        yield MaskWarning(
            "sequence-missing",
            Weight.FACT,
            verbatim(
                f"The batch has {len(positions.layouts)} sequences: the last one is shown.",
            ),
            "sequence",
        )
    past = positions.layouts[0].offset
    if past < 0 and any(isinstance(term, Causal | Window | Ahead) for term in terms_of(mask)):
        yield MaskWarning(
            "more-queries-than-keys",
            Weight.FACT,
            verbatim(
                f"There are {-past:,} more queries than keys: aligned at the ends, the first {-past:,} stand before "
                "key 0.",
            ),
            "key_len",
        )


def _on_tiles(mask: Mask, cost: Cost) -> Iterator[MaskWarning]:
    if cost.flops_saved < 0:
        yield MaskWarning(
            "tiles-cost-more",
            Weight.WARNING,
            verbatim(
                f"Tiles cost {-cost.share_of_flops_saved:.0%} more FLOPs than the plain matrix here: those at the edge "
                "are computed in full.",
            ),
            "block_q",
        )
    elif cost.sparsity - cost.share_of_flops_saved > 0.005:
        yield MaskWarning(
            "tiles-save-less",
            Weight.FACT,
            verbatim(
                f"The mask hides {cost.sparsity:.1%} of the cells, and tiles save {cost.share_of_flops_saved:.1%} of "
                "the FLOPs: what a partial tile hides is computed and thrown away.",
            ),
            "block_q",
        )
    needed = counted_terms(mask)
    if needed > MAX_TERMS:
        yield _about_expression(
            "too-many-terms",
            f"The block-sparse kernel takes {MAX_TERMS} different terms and this mask has {needed}: a run compares "
            "the other implementations without it.",
            f"块稀疏 kernel 最多支持 {MAX_TERMS} 个不同的项，而此掩码有 {needed} 个：运行时只比较其他实现。",
        )


def _about_expression(remark_id: str, en: str, zh: str) -> MaskWarning:
    return MaskWarning(remark_id, Weight.WARNING, verbatim(en), "expression")
