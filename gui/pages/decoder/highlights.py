"""The diagram's highlights: the effect of one replaced token, the gradient into the memory, or the parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from core.contracts.archive import Array
from core.contracts.text import Text, quoted, sentences, tr, tr_plural, verbatim
from core.format import format_quantity, quantity
from core.topics.decoder.params import TEXTS
from core.topics.decoder.plan import Plan
from gui.pages.decoder.flow_graph import FlowGraph, Highlight, edge_id
from gui.pages.decoder.layout import shown_place
from gui.pages.decoder.view_data import EXACT_ZERO, end_name

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
"""A headline and its text, in the current language."""


def change_note(plan: Plan, changes: Mapping[str, Array]) -> Note:
    """Which token was replaced, and how many positions changed."""
    perturbation, end = plan.perturbation, plan.end.id
    if perturbation is None:
        return str(tr("No token replaced")), str(tr("Click a token above to replace it and see what changes."))
    replaced = tr(
        "{token} ({text} {position}) is replaced by {other}.",
        token=quoted(perturbation.before),
        text=TEXTS[perturbation.stack],
        position=perturbation.position,
        other=perturbation.after,
    )
    change, name = changes.get(end), end_name(plan)
    if change is None:
        reachable = int(plan.reach[end].sum())
        headline = tr("{reachable} of {total} positions may change", reachable=reachable, total=plan.reach[end].size)
        rest = tr("The masks allow no other change of the {tensor}. Run (F5) to measure it.", tensor=name)
        return str(headline), str(sentences(replaced, rest))
    count = int((change != 0).sum())
    headline = tr(
        "{changed} of {total} positions of the {tensor} change", changed=count, total=change.size, tensor=name
    )
    others = change.size - count
    rest = tr_plural("The other {count} changes by exactly 0.", "The other {count} change by exactly 0.", count=others)
    return str(headline), str(sentences(replaced, rest if others else ""))


def gradient_highlights(graph: FlowGraph, norms: Mapping[str, float]) -> dict[str, Highlight]:
    """Highlight the memory and its two paths. The query is dark, since no gradient flows through it into the memory."""
    if not norms or edge_id("memory", _K) not in graph.edge_by_id:
        return {}
    top = max(norms["whole"], norms["k"], norms["v"]) or 1.0
    highlights = {"memory": _norm(norms["whole"], top, tr("all paths"))}
    for node_id, path in ((_K, "k"), (_V, "v")):
        path_highlight = _norm(norms[path], top, tr("through {letter} alone", letter=path.upper()))
        highlights[node_id] = path_highlight
        highlights[edge_id("memory", node_id)] = path_highlight
    highlights[_Q] = _norm(norms["neither"], top, tr("with the paths through K and V cut"))
    return highlights


def gradient_note(plan: Plan, norms: Mapping[str, float]) -> Note:
    """The gradient into the memory by path. `norms` is empty if none was measured."""
    if not plan.params.has_cross_attention:
        body = tr("Without cross-attention, no gradient flows from a decoder into an encoder.")
        return str(tr("No memory, no gradient")), str(body)
    headline = str(tr("Gradient into the memory"))
    if not norms:
        return headline, str(tr("Run (F5) to see which paths the gradient takes from the output."))
    lines = (
        tr("through {letter}: {norm}", letter="K", norm=_value(norms["k"])),
        tr("through {letter}: {norm}", letter="V", norm=_value(norms["v"])),
        tr("elsewhere: {norm}", norm=_value(norms["neither"])),
    )
    return headline, "\n".join(("‖∂(g · output) / ∂memory‖", *map(str, lines)))


def cost_note(plan: Plan) -> Note:
    """Parameters and FLOPs by part."""
    parts = (f"{part.parameters:,}  {part.label}" for part in plan.parts if part.parameters)
    flops = tr("{flops:.3g} MFLOP per pass", flops=plan.flops / 1e6)
    return str(tr("{parameters:,} parameters", parameters=plan.parameters)), "\n".join((*parts, str(flops)))


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
        tip = str(tr("unchanged at all {total} positions: exactly 0", total=values.size))
        return Highlight(0.0, str(EXACT_ZERO), tip, (0.0,) * values.size, short="0")
    count, where = int((values != 0).sum()), int(values.argmax())
    tip = str(
        tr(
            "changed at {changed} of {total} positions, at most by {largest:.6g} (at {token})",
            changed=count,
            total=values.size,
            largest=most,
            token=quoted(labels[where]),
        )
    )
    if count < values.size:
        others = tr("the other {others}: exactly 0", others=values.size - count)
        tip += f"\n{others}"
    # The square root keeps small changes visible next to large ones; only 0 is dark.
    cells = tuple(np.sqrt(values / top).tolist())
    return Highlight(max(cells), format_quantity(most), tip, cells)


def _reached(plan: Plan, node_id: str) -> Highlight:
    reach = plan.reach[node_id]
    count = int(reach.sum())
    if count:
        tip = tr(
            "the masks allow a change at {reachable} of {total} positions (modelled)",
            reachable=count,
            total=reach.size,
        )
    else:
        tip = tr("the masks allow no change at any of the {total} positions (modelled)", total=reach.size)
    cells = tuple(reach.astype(float).tolist())
    return Highlight(_POSSIBLE if count else 0.0, "", str(tip), cells, sure=False)


def _norm(norm: float, top: float, paths: Text) -> Highlight:
    value = verbatim(f"{norm:.6g}") if norm else EXACT_ZERO
    tip = tr("gradient into the memory, {paths}: {norm}", paths=paths, norm=value)
    return Highlight(norm / top, str(_value(norm)), str(tip), short="" if norm else "0")


def _value(norm: float) -> Text:
    return quantity(norm) if norm else EXACT_ZERO
