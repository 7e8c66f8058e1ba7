"""Sentences about anything unusual in a mask and its text: shown next to the picture, never an error."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from core.contracts.text import Text, tr, tr_plural
from core.masks import (
    Documents,
    Layout,
    Mask,
    PaddedQueries,
    Padding,
    Prefix,
    SameTurn,
    Turns,
    Window,
    row_counts,
    terms_of,
)
from core.masks.cost import Cost
from core.masks.lowering import MAX_TERMS, counted_terms
from core.masks.nodes import Ahead, Grouped
from core.masks.tokens import Tokens
from core.topics.masks.conventions import on_conventions
from core.topics.masks.params import MasksParams, numbers_of
from core.topics.masks.position_warnings import on_positions
from core.topics.masks.positions import Positions
from core.topics.masks.remark import MaskWarning, Weight


def mask_warnings(
    params: MasksParams, mask: Mask, positions: Positions, sequence: int, counts: NDArray[np.int64], cost: Cost
) -> tuple[MaskWarning, ...]:
    """All of them: what is probably unintended, then the facts, each the most important first."""
    layout = positions.layouts[sequence]
    found = (
        *_on_rows(layout, counts),
        *_on_terms(mask, layout),
        *_on_hidden_documents(mask, layout),
        *on_conventions(mask, layout),
        *on_positions(mask, positions, layout),
        *_on_text(params, positions),
        *_on_document_lengths(params, positions),
        *_on_batch(params, positions),
        *_on_tiles(mask, cost),
    )
    return tuple(sorted(found, key=lambda warning: warning.weight is Weight.FACT))


def _on_rows(layout: Layout, counts: NDArray[np.int64]) -> Iterator[MaskWarning]:
    hidden_rows = int(np.count_nonzero(counts == 0))
    if hidden_rows == counts.size:
        yield MaskWarning(
            "everything-masked",
            Weight.WARNING,
            tr(
                "Everything is masked: no query sees any key, so a softmax would divide zero by zero. The block-sparse "
                "kernel returns zeros and a log-sum-exp of -inf."
            ),
            "expression",
        )
    elif hidden_rows:
        yield MaskWarning(
            "rows-masked",
            Weight.FACT,
            tr_plural(
                "{count:,} of {queries:,} queries sees no key: a plain softmax gives NaN there, the block-sparse "
                "kernel gives zeros.",
                "{count:,} of {queries:,} queries see no key: a plain softmax gives NaN there, the block-sparse "
                "kernel gives zeros.",
                count=hidden_rows,
                queries=counts.size,
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
    keys = layout.key_len
    for term in terms:
        match term:
            case Window(0):
                yield _about_expression(
                    "window-zero",
                    tr(
                        "A window of 0 hides a query's own key and all keys before it: with causal, nothing is visible."
                    ),
                )
            case Window(count) if count >= keys:
                yield _about_expression(
                    "window-covers-all",
                    tr_plural(
                        "{term} is as wide as the only key: it hides nothing here.",
                        "{term} is as wide as all {count:,} keys: it hides nothing here.",
                        count=keys,
                        term=str(term),
                    ),
                )
            case Prefix(count) if count > keys:
                yield _about_expression(
                    "prefix-too-long",
                    tr_plural(
                        "{term} is longer than the only key: every key is in the prefix, so the term equals all.",
                        "{term} is longer than the {count:,} keys: every key is in the prefix, so the term equals all.",
                        count=keys,
                        term=str(term),
                    ),
                )
            case Prefix(0):
                yield _about_expression("prefix-zero", tr("A prefix of 0 contains no key."))
            case Ahead(count) if count >= keys:
                yield _about_expression(
                    "ahead-covers-all", tr("{term} reaches past the last key: it hides nothing.", term=str(term))
                )
            case Documents() | Turns() | SameTurn():
                yield from _on_groups(term, layout)
            case _:
                pass
    yield from _on_padding(terms, layout)


def _on_groups(term: Grouped, layout: Layout) -> Iterator[MaskWarning]:
    if len({int(value) for ids in term.ids(layout) for value in np.unique(ids)}) > 1:
        return
    if isinstance(term, Documents):
        text = tr(
            "{term} finds only one document, so it hides nothing: write <doc> where the next one begins, or enter "
            "lengths.",
            term=term.name,
        )
    else:
        text = tr(
            "{term} finds only one turn, so it hides nothing: write <user> where the next one begins.", term=term.name
        )
    yield MaskWarning("one-document" if isinstance(term, Documents) else "one-turn", Weight.WARNING, text, "query_text")


def _on_padding(terms: tuple[Mask, ...], layout: Layout) -> Iterator[MaskWarning]:
    pads = int(np.count_nonzero(~layout.keys.real))
    if pads and Padding() not in terms:
        yield MaskWarning(
            "pads-visible",
            Weight.WARNING,
            tr_plural(
                "{count:,} key is a pad, but the mask does not mention padding: add & ~padding to hide it.",
                "{count:,} keys are pads, but the mask does not mention padding: add & ~padding to hide them.",
                count=pads,
            ),
            "expression",
        )
    if not pads and Padding() in terms:
        yield MaskWarning(
            "no-pads",
            Weight.FACT,
            tr("This sequence has no pads, so padding changes nothing: write <pad> in the text or enter lengths."),
            "query_text",
        )


def _on_hidden_documents(mask: Mask, layout: Layout) -> Iterator[MaskWarning]:
    documents = np.unique(layout.keys.documents).size
    if documents < 2 or Documents() in terms_of(mask):
        return
    crossing = mask & ~Documents() & ~Padding() & ~PaddedQueries()
    cells = int(row_counts(crossing, layout).sum())
    if cells:
        yield _about_expression(
            "documents-visible",
            tr(
                "{documents:,} documents share this sequence, but the mask does not mention documents: {cells:,} "
                "visible cells cross from one into another. Add & documents to keep them apart.",
                documents=documents,
                cells=cells,
            ),
        )


def _on_document_lengths(params: MasksParams, positions: Positions) -> Iterator[MaskWarning]:
    lengths = numbers_of(params.documents, "documents")
    total = sum(lengths)
    texts = {len(positions.key_labels)} | ({len(positions.query_labels)} if positions.is_cross else set())
    for tokens in sorted(texts if lengths else ()):
        if total < tokens:
            text = tr_plural(
                "The document lengths add up to {total:,} of {tokens:,} tokens: the last token forms one more "
                "document.",
                "The document lengths add up to {total:,} of {tokens:,} tokens: the last {count:,} form one more "
                "document.",
                count=tokens - total,
                total=total,
                tokens=tokens,
            )
        elif total > tokens:
            text = tr_plural(
                "The document lengths add up to {total:,}, but there is only {count:,} token: the rest is cut off.",
                "The document lengths add up to {total:,}, but there are only {count:,} tokens: the rest is cut off.",
                count=tokens,
                total=total,
            )
        else:
            continue
        yield MaskWarning("document-lengths", Weight.WARNING, text, "documents")


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
                tr_plural(
                    "The text has no tokens, so {count:,} numbered position is shown.",
                    "The text has no tokens, so {count:,} numbered positions are shown.",
                    count=length,
                ),
                field,
            )
        elif tokens.is_cut:
            yield MaskWarning(
                f"{field}-cut",
                Weight.WARNING,
                tr(
                    "Of {characters:,} characters, the first {used:,} are used: they give {tokens:,} tokens, which is "
                    "the limit. The rest is kept in the field.",
                    characters=tokens.characters,
                    used=tokens.characters_used,
                    tokens=len(tokens.labels),
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
            tr(
                "The text has {tokens:,} tokens, and {field} keeps the first {kept:,}.",
                tokens=tokens,
                field=length,
                kept=requested,
            ),
            length,
        )
    elif requested > tokens:
        yield MaskWarning(
            f"{field}-stretched",
            Weight.FACT,
            tr_plural(
                "The only token of the text is stretched over {positions:,} positions.",
                "The {count:,} tokens of the text are stretched over {positions:,} positions; documents, turns and "
                "pads keep their proportions.",
                count=tokens,
                positions=requested,
            ),
            length,
        )


def _on_batch(params: MasksParams, positions: Positions) -> Iterator[MaskWarning]:
    keys = positions.layouts[0].key_len
    if params.lengths and any(length > keys for length in positions.lengths):
        yield MaskWarning(
            "lengths-clipped",
            Weight.WARNING,
            tr("A batch length exceeds the number of keys ({keys:,}), so that sequence has no pads.", keys=keys),
            "lengths",
        )
    if params.sequence >= len(positions.layouts):
        yield MaskWarning(
            "sequence-missing",
            Weight.FACT,
            tr_plural(
                "The batch has only one sequence, which is shown.",
                "The batch has {count} sequences, so the last one is shown.",
                count=len(positions.layouts),
            ),
            "sequence",
        )


def _on_tiles(mask: Mask, cost: Cost) -> Iterator[MaskWarning]:
    if cost.flops_saved < 0:
        yield MaskWarning(
            "tiles-cost-more",
            Weight.WARNING,
            tr(
                "Here tiles cost {share:.0%} more FLOPs than the dense matrix: tiles at the edge are computed in full.",
                share=-cost.share_of_flops_saved,
            ),
            "block_q",
        )
    elif cost.sparsity - cost.share_of_flops_saved > 0.005:
        yield MaskWarning(
            "tiles-save-less",
            Weight.FACT,
            tr(
                "The mask hides {hidden:.1%} of the cells, but tiles save only {saved:.1%} of the FLOPs: the hidden "
                "cells of partial tiles are computed and discarded.",
                hidden=cost.sparsity,
                saved=cost.share_of_flops_saved,
            ),
            "block_q",
        )
    terms = counted_terms(mask)
    if terms > MAX_TERMS:
        yield _about_expression(
            "too-many-terms",
            tr(
                "The block-sparse kernel takes at most {limit} different terms, and this mask has {terms}: a run "
                "compares only the other implementations.",
                limit=MAX_TERMS,
                terms=terms,
            ),
        )


def _about_expression(warning_id: str, text: Text) -> MaskWarning:
    return MaskWarning(warning_id, Weight.WARNING, text, "expression")
