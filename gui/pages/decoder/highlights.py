"""What the diagram highlights: the change of one token on its way, or the gradient on its way into the memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.contracts.archive import Array
from core.format import format_quantity
from core.topics.decoder.plan import Plan
from gui.pages.decoder.flow_graph import FlowGraph, Highlight, edge_id
from gui.pages.decoder.layout import shown_place
from gui.pages.decoder.view_data import EXACT_ZERO

_POSSIBLE = 0.45
_Q, _K, _V = (f"decoder.cross.{letter}" for letter in "qkv")


def change_highlights(plan: Plan, graph: FlowGraph, changes: Mapping[str, Array]) -> dict[str, Highlight]:
    """Every tensor by how much the changed token moved it; before a run, by what the masks allow.

    Arrows are highlighted as their start.
    """
    if plan.perturbation is None:
        return {}
    known = {node.id: changes[node.id] for node in graph.nodes if node.id in changes}
    top = max((float(values.max(initial=0)) for values in known.values()), default=0.0) or 1.0
    highlights = {
        node.id: _changed(plan, node.id, known[node.id], top) if node.id in known else _reached(plan, node.id)
        for node in graph.nodes
    }
    for edge in graph.edges:
        start = highlights[edge.start]
        highlights[edge.id] = Highlight(start.amount, tip=start.tip, sure=start.sure)
    return highlights


Note = tuple[str, str]
"""A headline and some sentences."""


def change_note(plan: Plan, changes: Mapping[str, Array]) -> Note:
    """What came of the change, and what it was."""
    change, end = plan.perturbation, plan.end.id
    if change is None:
        return "No token is changed", "Click a token above to replace it, and see what moves."
    replaced = f"{change.before!r}, {change.stack} {change.position}, is replaced by {change.after}."
    moved = changes.get(end)
    if moved is None:
        free = int(plan.reach[end].sum())
        headline = f"{free} of {plan.reach[end].size} positions may change"
        return headline, f"{replaced} By the masks the {end} can move nowhere else. Run (F5) to measure it."
    count = int((moved != 0).sum())
    rest = f" The other {moved.size - count} move by {EXACT_ZERO}." if count < moved.size else ""
    return f"{count} of {moved.size} positions of the {end} change", f"{replaced}{rest}"


def gradient_highlights(graph: FlowGraph, norms: Mapping[str, float]) -> dict[str, Highlight]:
    """The memory and the two ways into it; the query, through which nothing flows back into it, is dark."""
    if not norms or edge_id("memory", _K) not in graph.edge_by_id:
        return {}
    top = max(norms["whole"], norms["k"], norms["v"]) or 1.0
    highlights = {"memory": _norm(norms["whole"], top, "all paths")}
    for node_id, path in ((_K, "k"), (_V, "v")):
        through = _norm(norms[path], top, f"through {path.upper()} alone")
        highlights[node_id] = through
        highlights[edge_id("memory", node_id)] = through
    highlights[_Q] = _norm(norms["neither"], top, "with the memory cut off from K and V: through Q and all else")
    return highlights


def gradient_note(plan: Plan, norms: Mapping[str, float]) -> Note:
    """Which way the gradient takes into the memory; `norms` by path are empty where none was measured."""
    if not plan.params.has_cross_attention:
        return "No memory, no gradient", "Without cross-attention nothing flows from a decoder back into an encoder."
    if not norms:
        return "Gradient into the memory", "Run (F5) to send one back from the output and see which way it takes."
    through = (f"through {name} {_value(norms[path])}" for name, path in (("K", "k"), ("V", "v")))
    ways = "\n".join((*through, f"elsewhere {_value(norms['neither'])}"))
    return "Gradient into the memory", f"‖∂(g · output) / ∂memory‖\n{ways}"


def cost_note(plan: Plan) -> Note:
    """Parameters and FLOPs by part."""
    parts = "\n".join(f"{part.parameters:,}  {part.label}" for part in plan.parts if part.parameters)
    return f"{plan.parameters:,} parameters", f"{parts}\n{plan.flops / 1e6:.3g} MFLOP in one pass"


def cost_highlights(plan: Plan, graph: FlowGraph) -> dict[str, Highlight]:
    """Every box by its share of the largest number of trainable parameters; a layer's box stands for all of it."""
    counts = dict.fromkeys(graph.by_id, 0)
    for node in plan.flow.nodes:
        place = shown_place(plan, graph, node.id)
        if place is not None:
            counts[place] += node.parameters
    top = max(counts.values(), default=0) or 1
    return {name: Highlight(count / top, f"{count:,}") for name, count in counts.items() if count}


def _changed(plan: Plan, node_id: str, values: np.ndarray, top: float) -> Highlight:
    labels, most = plan.labels_of(plan.flow.node(node_id)), float(values.max(initial=0))
    if most == 0:
        return Highlight(
            0.0, EXACT_ZERO, f"unchanged at all {values.size} positions: {EXACT_ZERO}", (0.0,) * values.size, short="0"
        )
    count, where = int((values != 0).sum()), int(values.argmax())
    tip = f"changed at {count} of {values.size} positions, most by {most:.6g} at {labels[where]!r}"
    if count < values.size:
        tip += f"\nthe other {values.size - count}: {EXACT_ZERO}"
    # The square root keeps small changes visible beside large ones; only 0 is dark.
    cells = tuple(np.sqrt(values / top).tolist())
    return Highlight(max(cells), format_quantity(most), tip, cells)


def _reached(plan: Plan, node_id: str) -> Highlight:
    reach = plan.reach[node_id]
    count = int(reach.sum())
    tip = f"may change at {count} of {reach.size} positions, by the masks (modelled)"
    if not count:
        tip = f"out of reach at all {reach.size} positions, by the masks (modelled)"
    cells = tuple(reach.astype(float).tolist())
    return Highlight(_POSSIBLE if count else 0.0, "", tip, cells, sure=False)


def _norm(norm: float, top: float, what: str) -> Highlight:
    tip = f"gradient into the memory, {what}: {f'{norm:.6g}' if norm else EXACT_ZERO}"
    return Highlight(norm / top, _value(norm), tip, short="" if norm else "0")


def _value(norm: float) -> str:
    return format_quantity(norm) if norm else EXACT_ZERO
