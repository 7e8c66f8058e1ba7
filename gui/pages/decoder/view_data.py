"""Turns a plan or a run of the decoder into the data of its views: token rows, attention maps, tensors, gradients."""

from __future__ import annotations

import itertools

import numpy as np

from core.contracts.result import Provenance
from core.format import format_quantity
from core.topics.decoder.params import DECODER_ONLY
from core.topics.decoder.plan import Plan
from core.topics.decoder.result import DecoderResult, Influence, MemoryGradient
from gui.charts.matrix_page import MatrixPage
from gui.pages.decoder.token_strip import StripCell, StripRow

EXACT_ZERO = "exactly 0"


def provenance(result: DecoderResult | None, *names: str) -> Provenance | None:
    """The provenance of the first of these metrics that the run has."""
    metrics = {} if result is None else result.metrics
    return next((metrics[name].provenance for name in names if name in metrics), None)


def strip_rows(plan: Plan, run: DecoderResult | None) -> tuple[StripRow, ...]:
    """Source, target, and the change of the output: from this run, else from the table of all tokens, else modelled by
    the masks. `run` is a run on the same texts and weights."""
    rows = [
        StripRow(stack, _title(plan, stack), _tokens(plan, stack), about="Click a token to replace it by <other>.")
        for stack in ("source", "target")
        if plan.inputs.labels(stack)
    ]
    cells = _changes(plan, None if run is None else run.output_change(plan), run)
    about = "The largest absolute change of the output at each position; exactly 0 where every float is equal."
    return (*rows, StripRow("", f"{plan.end.id.capitalize()} change", cells, about=about, follows=plan.end.text))


def _title(plan: Plan, stack: str) -> str:
    only = plan.params.kind == DECODER_ONLY
    return "Text" if only else stack.capitalize()


def _tokens(plan: Plan, stack: str) -> tuple[StripCell, ...]:
    cells, changed = [], plan.perturbation
    for position, label in enumerate(plan.inputs.labels(stack)):
        is_padding = stack == "source" and position >= plan.inputs.source_visible
        is_replaced = changed is not None and (changed.stack, changed.position) == (stack, position)
        if is_padding:
            action = "padding: the masks hide it"
        elif is_replaced:
            action = "replaced by <other>: click to restore it"
        else:
            action = "click to replace it by <other> and see what changes"
        tip = f"{stack} {position} {label!r}\n{action}"
        amount = 1.0 if is_replaced else None
        cells.append(StripCell(label, tip, amount=amount, struck=is_replaced, quiet=is_padding))
    return tuple(cells)


def _changes(plan: Plan, changes: np.ndarray | None, run: DecoderResult | None) -> tuple[StripCell, ...]:
    labels, end = plan.labels_of(plan.end), plan.end.id
    written = predictions(run)
    if plan.perturbation is None:
        return tuple(
            StripCell("·", f"{end} {i} {label!r}\nno token is replaced{written.get(i, '')}", quiet=True)
            for i, label in enumerate(labels)
        )
    if changes is None:
        reach = plan.reach[end]
        texts = {True: ("may change", "may"), False: ("cannot", "–")}
        return tuple(
            StripCell(
                texts[can][0],
                f"{end} {i} {label!r}\nthe masks {'allow' if can else 'forbid'} a change here (modelled)",
                amount=1.0 if can else 0.0, sure=False, short=texts[can][1],
            )
            for i, (label, can) in enumerate(zip(labels, reach.tolist(), strict=True))
        )  # fmt: skip
    top = float(changes.max(initial=0)) or 1.0
    return tuple(
        StripCell(
            format_quantity(change) if change else EXACT_ZERO,
            f"{end} {i} {label!r}\nlargest change {f'{change:.6g}' if change else EXACT_ZERO}{written.get(i, '')}",
            amount=change / top, short="" if change else "0",
        )
        for i, (label, change) in enumerate(zip(labels, changes.tolist(), strict=True))
    )  # fmt: skip


def predictions(run: DecoderResult | None) -> dict[int, str]:
    """By position, the model's next token as a line of the tooltip."""
    rows = () if run is None else run.predictions
    return {row.position: f"\npredicts {row.predicted!r} with probability {row.probability:.4g}" for row in rows}


def attention_names(plan: Plan) -> tuple[str, str | None]:
    """The self-attention to draw (the last layer's in an encoder-only model), and the cross-attention or None."""
    if not plan.params.has_decoder:
        return f"encoder.{plan.params.encoder_layers - 1}", None
    return "self", "cross" if plan.params.has_cross_attention else None


def attention_title(name: str, plan: Plan) -> str:
    """A short title: it shares half a card's width with the name of a head."""
    if name.startswith("encoder"):
        return "Encoder, last layer"
    if name == "cross":
        return "Cross"
    return "Masked self" if plan.params.causal else "Self, no mask"


def attention_pages(plan: Plan, name: str, run: DecoderResult | None) -> list[MatrixPage]:
    """One page per head; before a run, one page with the mask."""
    mask = "encoder" if name.startswith("encoder") else name
    queries = plan.inputs.labels("source" if mask == "encoder" else "target")
    keys = plan.inputs.labels("target" if mask == "self" else "source")
    visible = plan.masks[mask]
    if run is None or name not in run.attentions:
        return [MatrixPage("mask", "the mask", queries, keys, None, visible, exact=True)]
    heads = run.attentions[name].probabilities
    return [
        MatrixPage(str(h + 1), f"head {h + 1}/{len(heads)}", queries, keys, head, visible, exact=True, top=1.0)
        for h, head in enumerate(heads)
    ]


def tensor_page(plan: Plan, node_id: str, run: DecoderResult | None) -> list[MatrixPage]:
    """The tensor of a node: positions down, elements across."""
    if run is None or node_id not in run.tensors:
        return []
    node, values = plan.flow.node(node_id), run.tensors[node_id]
    return [
        MatrixPage(
            node.label, f"{node_id} {node.shape}", plan.labels_of(node), (), values,
            row_name=node.text, column_name="element", what="value", signed=True, square=False,
            elements=elements(node.width, values.shape[1]),
        )
    ]  # fmt: skip


def elements(width: int, columns: int) -> tuple[str, ...]:
    """What each column shows: one element, or the mean of neighbouring elements."""
    if columns == width:
        return tuple(str(index) for index in range(columns))
    edges = np.linspace(0, width, columns + 1).astype(int)
    return tuple(str(a) if b - a == 1 else f"{a}..{b - 1} (mean)" for a, b in itertools.pairwise(edges))


def gradient_pages(plan: Plan, run: DecoderResult | None) -> list[MatrixPage]:
    """Gradients from each output position into each memory position: all paths, through K, through V."""
    gradient = MemoryGradient() if run is None else run.gradient
    paths = (
        ("all", "all paths", gradient.whole),
        ("K", "through K alone", gradient.k),
        ("V", "through V alone", gradient.v),
    )
    known = [(name, title, values) for name, title, values in paths if values is not None]
    top = max((float(values.max(initial=0)) for *_, values in known), default=0.0) or 1.0
    return [
        MatrixPage(
            name, f"gradient into the memory, {title}",
            plan.inputs.labels("target"), plan.inputs.labels("source"), values,
            row_name="output", column_name="memory", what="norm", ink="V", exact=True, top=top,
        )
        for name, title, values in known
    ]  # fmt: skip


def influence_pages(plan: Plan, run: DecoderResult | None) -> list[MatrixPage]:
    """How much the output changes at each position (columns) when each token is replaced (rows)."""
    influence = Influence() if run is None else run.influence
    tables = (("target", influence.target), ("source", influence.source))
    known = [(stack, values) for stack, values in tables if values is not None]
    top = max((float(values.max(initial=0)) for _, values in known), default=0.0) or 1.0
    return [
        MatrixPage(
            stack, f"each {stack} token replaced", plan.inputs.labels(stack), plan.labels_of(plan.end), values,
            row_name=f"{stack} token", column_name=plan.end.id, what="largest change", ink="K", exact=True, top=top,
        )
        for stack, values in known
    ]  # fmt: skip
