"""A plan or a run of the decoder in the terms of its pictures: rows of tokens, attention maps, tensors, gradients."""

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

EXACT_ZERO = "0, exactly"


def provenance(result: DecoderResult | None, *names: str) -> Provenance | None:
    """How the first of these metrics that the run has was obtained."""
    metrics = {} if result is None else result.metrics
    return next((metrics[name].provenance for name in names if name in metrics), None)


def strip_rows(plan: Plan, run: DecoderResult | None) -> tuple[StripRow, ...]:
    """Source, target, and the change of what comes out: measured for this token, else from the table of all, else by
    masks. `run` is one on the same texts and weights."""
    rows = [
        StripRow(stack, _title(plan, stack), _tokens(plan, stack), about="Click a token to replace it by <other>.")
        for stack in ("source", "target")
        if plan.inputs.labels(stack)
    ]
    cells = _changes(plan, None if run is None else run.output_change(plan), run)
    about = "The largest absolute change of the output at each position: 0, exactly, where every float is equal."
    return (*rows, StripRow("", f"{plan.end.id.capitalize()} change", cells, about=about, follows=plan.end.text))


def _title(plan: Plan, stack: str) -> str:
    only = plan.params.kind == DECODER_ONLY
    return "Text" if only else stack.capitalize()


def _tokens(plan: Plan, stack: str) -> tuple[StripCell, ...]:
    cells, changed = [], plan.perturbation
    for position, label in enumerate(plan.inputs.labels(stack)):
        pad = stack == "source" and position >= plan.inputs.source_visible
        here = changed is not None and (changed.stack, changed.position) == (stack, position)
        if pad:
            does = "a pad: the masks hide it"
        elif here:
            does = "replaced by <other>: click to put it back"
        else:
            does = "click to replace it by <other> and see what changes"
        tip = f"{stack} {position} {label!r}\n{does}"
        cells.append(StripCell(label, tip, amount=1.0 if here else None, struck=here, quiet=pad))
    return tuple(cells)


def _changes(plan: Plan, moved: np.ndarray | None, run: DecoderResult | None) -> tuple[StripCell, ...]:
    labels, end = plan.labels_of(plan.end), plan.end.id
    written = predictions(run)
    if plan.perturbation is None:
        return tuple(
            StripCell("·", f"{end} {i} {label!r}\nno token is changed{written.get(i, '')}", quiet=True)
            for i, label in enumerate(labels)
        )
    if moved is None:
        reach = plan.reach[end]
        texts = {True: ("may change", "may"), False: ("cannot", "–")}
        return tuple(
            StripCell(
                texts[can][0],
                f"{end} {i} {label!r}\n{'within' if can else 'out of'} reach of the change, by the masks (modelled)",
                amount=1.0 if can else 0.0, sure=False, short=texts[can][1],
            )
            for i, (label, can) in enumerate(zip(labels, reach.tolist(), strict=True))
        )  # fmt: skip
    top = float(moved.max(initial=0)) or 1.0
    return tuple(
        StripCell(
            format_quantity(change) if change else EXACT_ZERO,
            f"{end} {i} {label!r}\nlargest change {f'{change:.6g}' if change else EXACT_ZERO}{written.get(i, '')}",
            amount=change / top, short="" if change else "0",
        )
        for i, (label, change) in enumerate(zip(labels, moved.tolist(), strict=True))
    )  # fmt: skip


def predictions(run: DecoderResult | None) -> dict[int, str]:
    """By position, what the model would write next, as a line of a read-out."""
    rows = () if run is None else run.predictions
    return {row.position: f"\nwrites next {row.predicted!r} with probability {row.probability:.4g}" for row in rows}


def attention_names(plan: Plan) -> tuple[str, str | None]:
    """The self-attention that is drawn large (an encoder alone: its last layer's) and the cross-attention, or None."""
    if not plan.params.has_decoder:
        return f"encoder.{plan.params.encoder_layers - 1}", None
    return "self", "cross" if plan.params.has_cross_attention else None


def attention_title(name: str, plan: Plan) -> str:
    """Short: it stands above half a card, before the name of a head."""
    if name.startswith("encoder"):
        return "Encoder, last layer"
    if name == "cross":
        return "Cross"
    return "Masked self" if plan.params.causal else "Self, no mask"


def attention_pages(plan: Plan, name: str, run: DecoderResult | None) -> list[MatrixPage]:
    """One page per head; before a run a single one with the mask."""
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
    """What each column of a picture stands for: an element, or the mean of neighbouring ones."""
    if columns == width:
        return tuple(str(index) for index in range(columns))
    edges = np.linspace(0, width, columns + 1).astype(int)
    return tuple(str(a) if b - a == 1 else f"{a}..{b - 1}, their mean" for a, b in itertools.pairwise(edges))


def gradient_pages(plan: Plan, run: DecoderResult | None) -> list[MatrixPage]:
    """From each position of the output into each position of the memory: in all, through K, through V."""
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
    """Every token replaced in turn (rows): how much the output changes at each position (columns)."""
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
