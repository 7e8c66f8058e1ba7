"""Attention maps, tensors, gradients and the effect of every token, in the terms of a `TokenMap`."""

from __future__ import annotations

import itertools

import numpy as np

from core.contracts.result import Result
from core.topics.decoder.model import Plan
from gui.charts.matrix_page import MatrixPage
from gui.pages.decoder.tokens import end_of, labels_of, stack_of


def attention_names(plan: Plan) -> tuple[str, str | None]:
    """The self-attention that is drawn large (an encoder alone: its last layer's) and the cross-attention, or None."""
    if not plan.params.has_decoder:
        return f"encoder.{plan.params.encoder_layers - 1}", None
    return "self", "cross" if plan.params.has_cross_attention else None


def attention_title(name: str, plan: Plan) -> str:
    if name.startswith("encoder"):
        return "Encoder, last layer"
    if name == "cross":
        return "Cross-attention"
    return "Masked self-attention" if plan.params.causal else "Self-attention, no mask"


def attention_pages(plan: Plan, name: str, result: Result | None) -> list[MatrixPage]:
    """One page a head; before a run a single one with the mask."""
    mask = "encoder" if name.startswith("encoder") else name
    queries = labels_of(plan, "source" if mask == "encoder" else "target")
    keys = labels_of(plan, "target" if mask == "self" else "source")
    visible = plan.masks[mask]
    values = None if result is None else result.arrays.get(f"attention.{name}")
    if values is None:
        return [MatrixPage("mask", "the mask", queries, keys, None, visible, exact=True)]
    return [
        MatrixPage(str(h + 1), f"head {h + 1}/{len(values)}", queries, keys, head, visible, exact=True, top=1.0)
        for h, head in enumerate(values)
    ]


def tensor_page(plan: Plan, node_id: str, result: Result | None) -> list[MatrixPage]:
    """The tensor of a node: positions down, elements across."""
    values = None if result is None else result.arrays.get(f"stage.{node_id}")
    if values is None:
        return []
    node = plan.flow.node(node_id)
    stack = stack_of(node)
    return [
        MatrixPage(
            node.label, f"{node_id} {node.shape}", labels_of(plan, stack), (), values,
            row_name=stack, column_name="element", what="value", signed=True, square=False,
            elements=elements(node.width, values.shape[1]),
        )
    ]  # fmt: skip


def elements(width: int, columns: int) -> tuple[str, ...]:
    """What each column of a picture stands for: an element, or the mean of neighbouring ones."""
    if columns == width:
        return tuple(str(index) for index in range(columns))
    edges = np.linspace(0, width, columns + 1).astype(int)
    return tuple(str(a) if b - a == 1 else f"{a}..{b - 1}, their mean" for a, b in itertools.pairwise(edges))


def gradient_pages(plan: Plan, result: Result | None) -> list[MatrixPage]:
    """From each position of the output into each position of the memory: in all, through K, through V."""
    if result is None or "gradient.whole" not in result.arrays:
        return []
    arrays = {path: result.arrays[f"gradient.{path}"] for path in ("whole", "k", "v")}
    top = max(float(values.max(initial=0)) for values in arrays.values()) or 1.0
    names = {"whole": ("all", "all paths"), "k": ("K", "through K alone"), "v": ("V", "through V alone")}
    return [
        MatrixPage(
            names[path][0], f"gradient into the memory, {names[path][1]}",
            labels_of(plan, "target"), labels_of(plan, "source"), values,
            row_name="output", column_name="memory", what="norm", ink="V", exact=True, top=top,
        )
        for path, values in arrays.items()
    ]  # fmt: skip


def influence_pages(plan: Plan, result: Result | None) -> list[MatrixPage]:
    """Every token replaced in turn (rows): how much the output changes at each position (columns)."""
    end = end_of(plan)
    columns = labels_of(plan, stack_of(plan.flow.node(end)))
    found = {} if result is None else result.arrays
    arrays = {stack: found[f"influence.{stack}"] for stack in ("target", "source") if f"influence.{stack}" in found}
    top = max((float(values.max(initial=0)) for values in arrays.values()), default=0.0) or 1.0
    return [
        MatrixPage(
            stack, f"each {stack} token replaced", labels_of(plan, stack), columns, values,
            row_name=f"{stack} token", column_name=end, what="largest change", ink="K", exact=True, top=top,
        )
        for stack, values in arrays.items()
    ]  # fmt: skip
