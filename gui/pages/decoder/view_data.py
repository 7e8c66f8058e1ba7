"""Turns a plan or a run of the decoder into the data of its views: token rows, attention maps, tensors, gradients."""

from __future__ import annotations

import itertools

import numpy as np

from core.contracts.result import Provenance
from core.contracts.text import Text, quoted, tr, tr_in, verbatim
from core.format import format_quantity
from core.topics.decoder.params import DECODER_ONLY, TEXTS
from core.topics.decoder.plan import Plan
from core.topics.decoder.result import OUTPUT, DecoderResult, Influence, MemoryGradient
from gui.charts.matrix_page import MatrixPage
from gui.pages.decoder.token_strip import StripCell, StripRow

EXACT_ZERO = tr("exactly 0")
_ENDS = {"output": OUTPUT, "memory": tr("memory")}


def provenance(result: DecoderResult | None, *names: str) -> Provenance | None:
    """The provenance of the first of these metrics that the run has."""
    metrics = {} if result is None else result.metrics
    return next((metrics[name].provenance for name in names if name in metrics), None)


def strip_rows(plan: Plan, run: DecoderResult | None) -> tuple[StripRow, ...]:
    """Source, target, and the change of the output: from this run, else from the table of all tokens, else modelled by
    the masks. `run` is a run on the same texts and weights."""
    about = str(tr("Click a token to replace it by <other>."))
    rows = [
        StripRow(stack, str(_title(plan, stack)), _tokens(plan, stack), about=about)
        for stack in ("source", "target")
        if plan.inputs.labels(stack)
    ]
    cells = _changes(plan, None if run is None else run.output_change(plan), run)
    title = tr("Output change") if plan.end.id == "output" else tr("Memory change")
    about = str(tr("The largest absolute change of the output at each position; exactly 0 where every float is equal."))
    return (*rows, StripRow("", str(title), cells, about=about, follows=plan.end.text))


def _title(plan: Plan, stack: str) -> Text:
    if plan.params.kind == DECODER_ONLY:
        return tr("Text")
    return (
        tr_in("text of the decoder page", "Source")
        if stack == "source"
        else tr_in("text of the decoder page", "Target")
    )


def end_name(plan: Plan) -> Text:
    """The final tensor, in a sentence: the output, or the memory of an encoder-only model."""
    return _ENDS[plan.end.id]


def _place(name: Text, position: int, label: str) -> Text:
    """A position of a text or a tensor, with its token."""
    return tr("{name} {position} {token}", name=name, position=position, token=quoted(label))


def _tokens(plan: Plan, stack: str) -> tuple[StripCell, ...]:
    cells, changed = [], plan.perturbation
    for position, label in enumerate(plan.inputs.labels(stack)):
        is_padding = stack == "source" and position >= plan.inputs.source_visible
        is_replaced = changed is not None and (changed.stack, changed.position) == (stack, position)
        if is_padding:
            action = tr("padding: the masks hide it")
        elif is_replaced:
            action = tr("replaced by <other>: click to restore it")
        else:
            action = tr("click to replace it by <other> and see what changes")
        tip = f"{_place(TEXTS[stack], position, label)}\n{action}"
        amount = 1.0 if is_replaced else None
        cells.append(StripCell(label, tip, amount=amount, struck=is_replaced, muted=is_padding))
    return tuple(cells)


def _changes(plan: Plan, changes: np.ndarray | None, run: DecoderResult | None) -> tuple[StripCell, ...]:
    labels, end = plan.labels_of(plan.end), end_name(plan)
    written = predictions(run)
    if plan.perturbation is None:
        unchanged = tr("no token is replaced")
        return tuple(
            StripCell("·", f"{_place(end, i, label)}\n{unchanged}{written.get(i, '')}", muted=True)
            for i, label in enumerate(labels)
        )
    if changes is None:
        return tuple(
            _possible_change(_place(end, i, label), can_change=bool(can))
            for i, (label, can) in enumerate(zip(labels, plan.reach[plan.end.id].tolist(), strict=True))
        )
    top = float(changes.max(initial=0)) or 1.0
    return tuple(
        StripCell(
            format_quantity(change) if change else str(EXACT_ZERO),
            f"{_place(end, i, label)}\n{_largest_change(change)}{written.get(i, '')}",
            amount=change / top, short="" if change else "0",
        )
        for i, (label, change) in enumerate(zip(labels, changes.tolist(), strict=True))
    )  # fmt: skip


def _possible_change(place: Text, *, can_change: bool) -> StripCell:
    """A cell before a run: what the masks allow."""
    if can_change:
        allowed = tr("the masks allow a change here (modelled)")
        text, short = str(tr("may change")), str(tr_in("short", "may"))
        return StripCell(text, f"{place}\n{allowed}", amount=1.0, sure=False, short=short)
    forbidden = tr("the masks forbid a change here (modelled)")
    text = str(tr_in("change of a token", "cannot"))
    return StripCell(text, f"{place}\n{forbidden}", amount=0.0, sure=False, short="–")


def _largest_change(change: float) -> Text:
    if not change:
        return tr("largest change: exactly 0")
    return tr("largest change: {change:.6g}", change=change)


def predictions(run: DecoderResult | None) -> dict[int, str]:
    """By position, the model's next token as a line of the tooltip."""
    rows = () if run is None else run.predictions
    return {
        row.position: "\n"
        + str(
            tr(
                "predicts {token} with probability {probability:.4g}",
                token=quoted(row.predicted),
                probability=row.probability,
            )
        )
        for row in rows
    }


def tensor_names(plan: Plan) -> list[tuple[str, str]]:
    """The id and the name of every tensor, to choose from."""
    return [(node.id, str(_ENDS.get(node.id, verbatim(node.id)))) for node in plan.flow.nodes]


def attention_names(plan: Plan) -> tuple[str, str | None]:
    """The self-attention to draw (the last layer's in an encoder-only model), and the cross-attention or None."""
    if not plan.params.has_decoder:
        return f"encoder.{plan.params.encoder_layers - 1}", None
    return "self", "cross" if plan.params.has_cross_attention else None


def attention_title(name: str, plan: Plan) -> Text:
    """A short title: it shares half a card's width with the name of a head."""
    if name.startswith("encoder"):
        return tr("Encoder, last layer")
    if name == "cross":
        return tr_in("attention", "Cross")
    return tr_in("attention", "Masked self") if plan.params.causal else tr_in("attention", "Self, no mask")


def attention_pages(plan: Plan, name: str, run: DecoderResult | None) -> list[MatrixPage]:
    """One page per head; before a run, one page with the mask."""
    mask = "encoder" if name.startswith("encoder") else name
    queries = plan.inputs.labels("source" if mask == "encoder" else "target")
    keys = plan.inputs.labels("target" if mask == "self" else "source")
    visible = plan.masks[mask]
    if run is None or name not in run.attentions:
        return [
            MatrixPage(str(tr_in("attention", "mask")), str(tr("the mask")), queries, keys, None, visible, exact=True)
        ]
    heads = run.attentions[name].probabilities
    return [
        MatrixPage(str(number), _head_title(number, len(heads)), queries, keys, head, visible, exact=True, top=1.0)
        for number, head in enumerate(heads, 1)
    ]


def _head_title(number: int, heads: int) -> str:
    return str(tr("head {number}/{heads}", number=number, heads=heads))


def tensor_page(plan: Plan, node_id: str, run: DecoderResult | None) -> list[MatrixPage]:
    """The tensor of a node: positions down, elements across."""
    if run is None or node_id not in run.tensors:
        return []
    node, values = plan.flow.node(node_id), run.tensors[node_id]
    return [
        MatrixPage(
            str(node.label), f"{node_id} {node.shape}", plan.labels_of(node), (), values,
            row_name=TEXTS[node.text], column_name=tr("element"), what=tr("value"), signed=True, square=False,
            elements=elements(node.width, values.shape[1]),
        )
    ]  # fmt: skip


def elements(width: int, columns: int) -> tuple[str, ...]:
    """What each column shows: one element, or the mean of neighbouring elements."""
    if columns == width:
        return tuple(str(index) for index in range(columns))
    edges = np.linspace(0, width, columns + 1).astype(int)
    return tuple(
        str(a) if b - a == 1 else str(tr("{first}..{last} (mean)", first=int(a), last=int(b) - 1))
        for a, b in itertools.pairwise(edges)
    )


def gradient_pages(plan: Plan, run: DecoderResult | None) -> list[MatrixPage]:
    """Gradients from each output position into each memory position: all paths, through K, through V."""
    gradient = MemoryGradient() if run is None else run.gradient
    paths = (
        (str(tr_in("gradient", "all")), tr("gradient into the memory, all paths"), gradient.whole),
        ("K", tr("gradient into the memory, through K alone"), gradient.k),
        ("V", tr("gradient into the memory, through V alone"), gradient.v),
    )
    known = [(name, title, values) for name, title, values in paths if values is not None]
    top = max((float(values.max(initial=0)) for *_, values in known), default=0.0) or 1.0
    return [
        MatrixPage(
            name, str(title), plan.inputs.labels("target"), plan.inputs.labels("source"), values,
            row_name=_ENDS["output"], column_name=_ENDS["memory"], what=tr("norm"), ink="V", exact=True, top=top,
        )
        for name, title, values in known
    ]  # fmt: skip


def influence_pages(plan: Plan, run: DecoderResult | None) -> list[MatrixPage]:
    """How much the output changes at each position (columns) when each token is replaced (rows)."""
    known = _influence_tables(run)
    top = max((float(values.max(initial=0)) for _, values in known), default=0.0) or 1.0
    titles = {"target": tr("each target token replaced"), "source": tr("each source token replaced")}
    row_names = {"target": tr("target token"), "source": tr("source token")}
    return [
        MatrixPage(
            str(TEXTS[stack]), str(titles[stack]), plan.inputs.labels(stack), plan.labels_of(plan.end), values,
            row_name=row_names[stack], column_name=end_name(plan), what=tr("largest change"), ink="K", exact=True,
            top=top,
        )
        for stack, values in known
    ]  # fmt: skip


def influence_stacks(run: DecoderResult | None) -> list[str]:
    """The text whose tokens each of the `influence_pages` replaces."""
    return [stack for stack, _ in _influence_tables(run)]


def _influence_tables(run: DecoderResult | None) -> list[tuple[str, np.ndarray]]:
    influence = Influence() if run is None else run.influence
    tables = (("target", influence.target), ("source", influence.source))
    return [(stack, values) for stack, values in tables if values is not None]
