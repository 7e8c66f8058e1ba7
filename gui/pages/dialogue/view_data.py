"""A plan or a result of the dialogue page in the form that its views take. Regroups; computes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from core.chat.doctor import Finding, Severity
from core.contracts.result import Provenance
from core.contracts.text import EMPTY, Text, listed, tr, tr_plural, verbatim
from core.format import format_quantity
from core.masks import rasterise, row_counts
from core.masks.cost import tiling
from core.masks.explain import explain_cell
from core.topics.dialogue.choices import PAD_WITH_END, POLICY_LABELS
from core.topics.dialogue.plan import Plan
from core.topics.dialogue.result import DialogueResult, Examination
from gui.charts.mask_picture import MatrixSource
from gui.pages.dialogue.packing_data import STRATEGY_LABELS, PackedStrategy
from gui.pages.dialogue.token_source import TokenSource
from gui.widgets.metric_bar import Number

BLOCK = 16
"""Tokens per tile of the mask's matrix."""

Group = tuple[Provenance | None, Sequence[Number]]


def alone(plan: Plan, result: DialogueResult | None) -> TokenSource | None:
    """The tokens of the conversation alone, with their losses if the run rendered the same text."""
    if plan.rows is None:
        return None
    return TokenSource(plan.rows, plan.texts, _loss(plan, result), plan.mask)


def packed(plan: Plan, result: DialogueResult | None) -> TokenSource | None:
    """The tokens of the row that the conversation is packed into. Call it off the GUI thread first: packing takes a
    while when the template is new."""
    rows = plan.packed_rows
    if rows is None or plan.rows is None:
        return None
    own, losses = _loss(plan, result), None
    if own is not None:
        losses = np.full(len(rows), np.nan, dtype=np.float32)
        losses[plan.own] = own[plan.rows.kept][: plan.own.stop - plan.own.start]
    return TokenSource(rows, plan.packed_texts, losses, plan.mask, plan.own.start - int(np.argmax(plan.rows.kept)))


def _loss(plan: Plan, result: DialogueResult | None) -> NDArray[np.float32] | None:
    """The losses after the training if it is over, else those of the small model as it is."""
    shown = None if result is None else result.shown
    if (
        shown is None
        or plan.rendered is None
        or shown.text != plan.rendered.text
        or len(shown.before) != len(plan.rows or ())
    ):
        return None
    losses: NDArray[np.float32] = shown.after if np.isfinite(shown.after).any() else shown.before
    return losses


def counts(plan: Plan) -> list[tuple[int, int]]:
    """Tokens and targets of each message."""
    if plan.conversation is None or plan.rows is None:
        return []
    messages, rows = len(plan.conversation.messages), plan.rows
    of_message = rows.message >= 0
    tokens = np.bincount(rows.message[of_message], minlength=messages)
    targets = np.bincount(rows.message[of_message & (rows.weight > 0)], minlength=messages)
    return list(zip(tokens.tolist(), targets.tolist(), strict=True))


def uses(plan: Plan, token: int) -> list[Text]:
    """Under which policies a token of the conversation is a target, and in which example of one per turn."""
    policies = [policy for policy, targets in plan.targets_of.items() if token < len(targets) and targets[token]]
    example = int(plan.example_of[token]) if token < len(plan.example_of) else -1
    if not policies:
        return [tr("no target under any policy")]
    found = [tr("target of: {policies}", policies=listed([POLICY_LABELS[policy] for policy in policies]))]
    if example >= 0:
        found.append(tr("one example per turn: number {number}", number=example + 1))
    return found


def matrix(source: TokenSource | None) -> MatrixSource | None:
    """Who sees whom in a row, as the matrix of the mask page. What is cut off is not in it."""
    if source is None or source.kept.stop == source.kept.start:
        return None
    mask, layout = source.mask, source.layout
    tiles = tiling(mask, layout, BLOCK, BLOCK)
    return MatrixSource(
        rows=layout.query_len,
        cols=layout.key_len,
        raster=lambda rows, cols, width, height: rasterise(mask, layout, rows, cols, width, height),
        row_counts=row_counts(mask, layout),
        classes=tiles.classes,
        block_q=BLOCK,
        block_kv=BLOCK,
        row_labels=source.shown[source.kept],
        col_labels=source.shown[source.kept],
        explain=lambda row, col: str(explain_cell(mask, layout, row, col).text),
    )


def template_problem(plan: Plan) -> tuple[Text, int | None]:
    """What is wrong with the template, and in which line."""
    if plan.template_error is not None:
        return plan.problem, plan.template_error[0]
    blames_template = plan.blames in ("template", "jinja", "switches", "tokenizer")
    return (plan.problem if blames_template else EMPTY), None


def numbers(
    plan: Plan, findings: Sequence[Finding], strategies: Sequence[PackedStrategy], result: DialogueResult | None
) -> list[Group]:
    """The key metrics: those of the plan, then those of the run."""
    planned, measured = _planned(plan, findings), _measured(result)
    packed = next((one for one in strategies if one.strategy == plan.params.packing), None)
    if planned and packed is not None:
        planned += _packed(packed, is_short=bool(measured))
    return [(Provenance.MODELLED, planned), *measured]


def _planned(plan: Plan, findings: Sequence[Finding]) -> list[Number]:
    rows = plan.rows
    if rows is None or plan.conversation is None:
        return []
    tokens, targets = len(rows), int(np.count_nonzero(rows.weight > 0))
    cut = tokens - int(np.count_nonzero(rows.kept))
    messages = len(plan.conversation.messages)
    rendered = tr_plural(
        "{count:,} message, rendered and encoded", "{count:,} messages, rendered and encoded", count=messages
    )
    learned = tr(
        "{share:.1%} of the tokens are learned from: {policy}",
        share=targets / max(1, tokens),
        policy=POLICY_LABELS[plan.params.policy],
    )
    found = [
        Number(str(tr("tokens")), f"{tokens:,}", str(rendered)),
        Number(str(tr("targets")), f"{targets:,}", str(learned), "plain" if targets else "bad"),
    ]
    if cut:
        held = tr("The row holds {length:,} tokens.", length=plan.params.max_length)
        found.append(Number(str(tr("cut off")), f"{cut:,}", str(held), "bad"))
    if findings:
        ill = [finding for finding in findings if finding.severity is Severity.ILL]
        said = "\n".join(str(finding.sentence) for finding in ill) or str(tr("The doctor finds nothing ill."))
        found.append(Number(str(tr("failures")), f"{len(ill)}", said, "bad" if ill else "good"))
    return found


def _packed(one: PackedStrategy, *, is_short: bool) -> list[Number]:
    """How full packed rows are, and what the document mask saves."""
    packing, saved = one.packing, one.saving.saved
    if not packing.rows:
        return []
    about = tr(
        "{rows:,} rows of {length:,} tokens, packed: {strategy}",
        rows=packing.rows,
        length=packing.capacity,
        strategy=STRATEGY_LABELS[one.strategy],
    )
    fill = Number(str(tr("fill")), f"{packing.fill:.0%}", str(about))
    mask = tr("What the document mask saves of the FLOPs of attention.")
    return [fill] if is_short else [fill, Number(str(tr("FLOPs saved")), f"{saved:.0%}", str(mask))]


def _measured(result: DialogueResult | None) -> list[Group]:
    """What the trained models do, and how equal the gradients are."""
    if result is None:
        return []
    found = []
    padded = result.sabotage(PAD_WITH_END)
    if result.behaviour is not None:
        about = tr("The share of generations of the sound model that stop by themselves.")
        found.append(Number(str(tr("stops, sound")), f"{result.behaviour.stops:.0%}", str(about)))
    if padded is not None and padded.behaviour is not None:
        about = tr("The same if padding with the end token masks the real one.")
        stops = padded.behaviour.stops
        found.append(Number(str(tr("stops, padded")), f"{stops:.0%}", str(about), "bad" if stops < 0.5 else "plain"))
    if result.equality is not None:
        about = tr(
            "The largest relative difference of a parameter's gradient, one pass against one example per turn, in "
            "float64."
        )
        worst = format_quantity(float(result.equality.float64.max()))
        found.append(Number(str(tr("gradients differ")), worst, str(about)))
    return [(result.measured, found)] if found else []


def scope(plan: Plan) -> Text:
    """What the doctor examined in the plan."""
    template = plan.template
    name = template.name if template is not None and template.name else ""
    if not name:
        return tr("This conversation, the tokenizer, the template and the training setup.")
    return tr("This conversation, the tokenizer, the template {name} and the training setup.", name=verbatim(name))


def file_scope(examined: Examination) -> Text:
    """What the doctor examined in a run."""
    return tr_plural(
        "{count:,} conversation of the data file, the tokenizer, the template and the training setup.",
        "{count:,} conversations of the data file, the tokenizer, the template and the training setup.",
        count=examined.conversations,
    )
