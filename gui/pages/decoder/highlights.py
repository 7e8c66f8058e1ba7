"""The diagram's highlights: the effect of one replaced token, the gradient into the memory, or the parameters."""

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
    """Highlight every tensor by how much the replaced token changed it; before a run, by what the masks allow.

    An arrow is highlighted like its start.
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
"""A headline and its text."""


def change_note(plan: Plan, changes: Mapping[str, Array]) -> Note:
    """Which token was replaced, and how many positions changed."""
    perturbation, end = plan.perturbation, plan.end.id
    if perturbation is None:
        return "No token replaced", "Click a token above to replace it and see what changes."
    replaced = (
        f"{perturbation.before!r}, {perturbation.stack} {perturbation.position}, is replaced by {perturbation.after}."
    )
    change = changes.get(end)
    if change is None:
        reachable = int(plan.reach[end].sum())
        headline = f"{reachable} of {plan.reach[end].size} positions may change"
        return headline, f"{replaced} The masks allow no other change of the {end}. Run (F5) to measure it."
    count = int((change != 0).sum())
    rest = f" The other {change.size - count} change by {EXACT_ZERO}." if count < change.size else ""
    return f"{count} of {change.size} positions of the {end} change", f"{replaced}{rest}"


def gradient_highlights(graph: FlowGraph, norms: Mapping[str, float]) -> dict[str, Highlight]:
    """Highlight the memory and its two paths. The query is dark, since no gradient flows through it into the memory."""
    if not norms or edge_id("memory", _K) not in graph.edge_by_id:
        return {}
    top = max(norms["whole"], norms["k"], norms["v"]) or 1.0
    highlights = {"memory": _norm(norms["whole"], top, "all paths")}
    for node_id, path in ((_K, "k"), (_V, "v")):
        through = _norm(norms[path], top, f"through {path.upper()} alone")
        highlights[node_id] = through
        highlights[edge_id("memory", node_id)] = through
    highlights[_Q] = _norm(norms["neither"], top, "with the paths through K and V cut")
    return highlights


def gradient_note(plan: Plan, norms: Mapping[str, float]) -> Note:
    """The gradient into the memory by path. `norms` is empty if none was measured."""
    if not plan.params.has_cross_attention:
        return "No memory, no gradient", "Without cross-attention, no gradient flows from a decoder into an encoder."
    if not norms:
        return "Gradient into the memory", "Run (F5) to see which paths the gradient takes from the output."
    paths = (f"through {name}: {_value(norms[path])}" for name, path in (("K", "k"), ("V", "v")))
    lines = "\n".join((*paths, f"elsewhere: {_value(norms['neither'])}"))
    return "Gradient into the memory", f"‖∂(g · output) / ∂memory‖\n{lines}"


def cost_note(plan: Plan) -> Note:
    """Parameters and FLOPs by part."""
    parts = "\n".join(f"{part.parameters:,}  {part.label}" for part in plan.parts if part.parameters)
    return f"{plan.parameters:,} parameters", f"{parts}\n{plan.flops / 1e6:.3g} MFLOP in one pass"


def cost_highlights(plan: Plan, graph: FlowGraph) -> dict[str, Highlight]:
    """Highlight boxes by trainable parameters, relative to the largest. A layer's box counts the whole layer."""
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
    tip = f"changed at {count} of {values.size} positions, at most by {most:.6g} (at {labels[where]!r})"
    if count < values.size:
        tip += f"\nthe other {values.size - count}: {EXACT_ZERO}"
    # The square root keeps small changes visible next to large ones; only 0 is dark.
    cells = tuple(np.sqrt(values / top).tolist())
    return Highlight(max(cells), format_quantity(most), tip, cells)


def _reached(plan: Plan, node_id: str) -> Highlight:
    reach = plan.reach[node_id]
    count = int(reach.sum())
    tip = f"the masks allow a change at {count} of {reach.size} positions (modelled)"
    if not count:
        tip = f"the masks allow no change at any of the {reach.size} positions (modelled)"
    cells = tuple(reach.astype(float).tolist())
    return Highlight(_POSSIBLE if count else 0.0, "", tip, cells, sure=False)


def _norm(norm: float, top: float, what: str) -> Highlight:
    tip = f"gradient into the memory, {what}: {f'{norm:.6g}' if norm else EXACT_ZERO}"
    return Highlight(norm / top, _value(norm), tip, short="" if norm else "0")


def _value(norm: float) -> str:
    return format_quantity(norm) if norm else EXACT_ZERO
