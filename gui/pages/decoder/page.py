"""The view of decoder: texts, the block as a live diagram, both attentions and the tensors, all linked."""

from __future__ import annotations

from typing import Any

from core.contracts.params import Params
from core.contracts.result import Provenance, Result
from core.contracts.result_builder import from_partial
from core.topics.decoder.model import Plan
from core.topics.decoder.params import DecoderParams
from gui.charts.token_map import TokenMap
from gui.page.page import Page
from gui.page.selection import Selection
from gui.pages.decoder import highlights, matrices, tokens
from gui.pages.decoder.flow_graph import FlowGraph
from gui.pages.decoder.layout import diagram_of, shown_place
from gui.pages.decoder.runs import changes_run, provenance, tensors_run, with_what_stays
from gui.pages.decoder.views import CHANGE, COST, GRADIENT, AttentionPair, BadgedStrip, LensedDiagram, TensorView
from gui.widgets.switcher import Switcher

_BLOCK_HELP = (
    "Boxes are tensors, arrows what reads them, with their shapes. The cells in a box are its positions: lit where the "
    "changed token moves them, dark where nothing moves, exactly. Click a box or an arrow to see its tensor; Tab and "
    "Up, Down walk, the wheel zooms, a double click fits."
)
_ATTENTION_HELP = (
    "Rows are queries, columns keys; brighter is more weight (0 to 1). The small maps are the heads: click one to "
    "bring it to the front. Click a cell or a label to follow that token everywhere."
)
_TENSOR_HELP = (
    "The tensor of the chosen box or arrow; the gradient from each output into each position of the memory; and what "
    "replacing every single token changes."
)
_ROW_PX = 420
"""The least height at which the diagram can be read; a lower window scrolls."""
TENSOR, INTO_MEMORY, EVERY_TOKEN = range(3)
_FIRST_NODES = ("decoder.cross.heads", "decoder.self.heads", "memory")


class DecoderPage(Page):
    """Selection kinds: source_token, target_token, node, edge, head_self, head_cross, lens."""

    def build(self) -> None:
        self._plan: Plan | None = None
        self._graph = FlowGraph((), ())
        self._result: Result | None = None
        self.tokens, self.block, self.attention = BadgedStrip(), LensedDiagram(), AttentionPair()
        self.strip, self.diagram = self.tokens.strip, self.block.diagram
        self.tensor = TensorView()
        self.gradient = TokenMap("Run (F5) to see the gradient from each output into each position of the memory.")
        self.influence = TokenMap("Run (F5) to see what replacing each single token changes.")
        self.views = Switcher(
            [("Tensor", self.tensor), ("Gradient into memory", self.gradient), ("Every token", self.influence)]
        )
        self.add_strip(self.tokens)
        self.block_card = self.add_plot(self.block, 0, 0, "The block", _BLOCK_HELP, width=6)
        self.block_card.setMinimumHeight(_ROW_PX)
        self.attention_card = self.add_plot(self.attention, 0, 1, "Attention", _ATTENTION_HELP, width=5)
        self.tensor_card = self.add_plot_under(self.views, self.attention_card, "Tensors", _TENSOR_HELP, heights=(4, 3))
        for card in (self.attention_card, self.tensor_card):
            card.setMinimumHeight(_ROW_PX // 2 - 4)
        self._link()

    def show_plan(self, plan: Plan, params: Params) -> None:
        self._plan = plan
        self._draw()

    def show_partial(self, payload: dict[str, Any]) -> None:
        """Tensors come before the effect of every token."""
        self.show_result(with_what_stays(from_partial(payload), self._result))

    def show_result(self, result: Result) -> None:
        self._result = result
        if self._tensors() is None:
            self._plan = self.topic.plan(DecoderParams.parse(result.params))
        self._draw()

    def clear_result(self) -> None:
        self._result = None
        self._draw()

    def set_stale(self, stale: bool) -> None:
        """All goes back to the plan with other texts or weights: stale is only a run that ends after they changed."""
        super().set_stale(stale and self._plan is not None and self._plan.params != self.params)

    def select(self, selection: Selection) -> None:
        """Show the selection everywhere. Each setter is silent when nothing changes, so nothing loops."""
        plan = self._plan
        if plan is None:
            return
        source, target = (_index(selection, kind) for kind in ("source_token", "target_token"))
        self.strip.mark(source=source, target=target)
        own = source if not plan.params.has_decoder else target
        self.attention.own.map.select(own, own)
        self.attention.cross.map.select(target, source)
        self.gradient.select(target, source)
        self.attention.own.show_page(selection.index("head_self", self.attention.own.map.index))
        self.attention.cross.show_page(selection.index("head_cross", self.attention.cross.map.index))
        self.block.lenses.choose(selection.index("lens", CHANGE))
        node, edge = selection.get("node"), selection.get("edge")
        shown = shown_place(plan, self._graph, node if isinstance(node, str) else None)
        self.diagram.select(edge if isinstance(edge, str) else shown)
        self._show_influence(source, target)
        self._show_tensor(str(node) if node is not None else "", source, target)

    def step(self, delta: int) -> None:
        """Left and Right go from token to token."""
        if self._plan is None:
            return
        chosen = self.selection.selection
        stack = "source" if "source_token" in chosen and "target_token" not in chosen else "target"
        labels = tokens.labels_of(self._plan, stack) or tokens.labels_of(self._plan, "source")
        stack = stack if tokens.labels_of(self._plan, stack) else "source"
        at = chosen.index(f"{stack}_token", -1 if delta > 0 else len(labels))
        self._pick(stack, min(len(labels) - 1, max(0, at + delta)))

    def _link(self) -> None:
        self.strip.clicked.connect(self._change_token)
        self.strip.moved.connect(self._pick)
        self.diagram.picked.connect(self._on_place)
        self.block.lenses.chosen.connect(lambda lens: self.selection.update(lens=lens))
        self.block.lenses.chosen.connect(lambda _: self._draw_highlights())
        self.tensor.node_chosen.connect(lambda node: self.selection.update(node=node, edge=None))
        own, cross = self.attention.own.map, self.attention.cross.map
        own.page_picked.connect(lambda head: self.selection.update(head_self=head))
        cross.page_picked.connect(lambda head: self.selection.update(head_cross=head))
        own.cell_picked.connect(self._on_own_cell)
        for crossed in (cross, self.gradient):
            crossed.cell_picked.connect(self._on_crossed_cell)
        self.gradient.page_picked.connect(self.gradient.show_page)
        self.influence.page_picked.connect(self._show_influence_page)
        self.influence.cell_picked.connect(self._on_influence_cell)
        self.tensor.map.cell_picked.connect(self._on_tensor_cell)
        self.views.switched.connect(lambda _: self._write_badges())

    # What is drawn.

    def _draw(self) -> None:
        plan = self._plan
        if plan is None:
            return
        self._graph = diagram_of(plan)
        self.diagram.set_graph(self._graph)
        own, cross = matrices.attention_names(plan)
        tensors = self._tensors()
        self.attention.own.set_pages(matrices.attention_title(own, plan), matrices.attention_pages(plan, own, tensors))
        self.attention.cross.set_pages(
            "Cross-attention" if cross is None else matrices.attention_title(cross, plan),
            [] if cross is None else matrices.attention_pages(plan, cross, tensors),
        )
        self.strip.set_rows(tokens.strip_rows(plan, tensors, self._changes()))
        self.tensor.set_nodes([node.id for node in plan.flow.nodes])
        self.gradient.set_pages(matrices.gradient_pages(plan, tensors))
        self.influence.set_pages(matrices.influence_pages(plan, tensors))
        self._draw_highlights()
        self._drop_what_is_gone(plan)
        self.select(self.selection.selection)

    def _draw_highlights(self) -> None:
        plan, lens = self._plan, self.block.lenses.index
        if plan is None:
            return
        if lens == CHANGE:
            lit = highlights.change_highlights(plan, self._graph, self._changes())
            note = highlights.change_note(plan, self._changes())
        elif lens == GRADIENT:
            lit = highlights.gradient_highlights(self._graph, self._tensors())
            note = highlights.gradient_note(plan, self._tensors())
        else:
            lit = highlights.cost_highlights(plan, self._graph)
            note = highlights.cost_note(plan)
        self.diagram.set_highlights(lit)
        self.diagram.set_note(*note)
        self._write_badges()

    def _show_tensor(self, node_id: str, source: int | None, target: int | None) -> None:
        plan = self._plan
        assert plan is not None  # `select` looked
        known = [node.id for node in plan.flow.nodes]
        node_id = node_id if node_id in known else next(first for first in _FIRST_NODES if first in known)
        node, tensors = plan.flow.node(node_id), self._tensors()
        self.tensor.choose(node_id)
        wanted = (plan, tensors, node)
        if not all(new is old for new, old in zip(wanted, self._tensor_drawn, strict=True)):
            self._tensor_drawn = wanted
            self.tensor.set_facts(f"{node.label}  {node.shape}")
            self.tensor.map.set_pages(matrices.tensor_page(plan, node_id, tensors))
        self.tensor.map.select(source if tokens.stack_of(node) == "source" else target, None)

    _tensor_drawn: tuple[Any, Any, Any] = (None, None, None)

    def _show_influence(self, source: int | None, target: int | None) -> None:
        page = self.influence.page
        if page is not None:
            self.influence.select(source if page.name == "source" else target, None)

    def _show_influence_page(self, index: int) -> None:
        self.influence.show_page(index)
        self.select(self.selection.selection)

    def _write_badges(self) -> None:
        lens, tensors, changes = self.block.lenses.index, self._tensors(), self._changes()
        change = provenance(changes, "perturbation.positions")
        table = provenance(tensors, "past.cells", "source.cells")
        self.block_card.set_provenance(
            {CHANGE: change, GRADIENT: provenance(tensors, "gradient.whole"), COST: None}[lens] or Provenance.MODELLED
        )
        self.tokens.badge.set_provenance(change or table or Provenance.MODELLED)
        attention = provenance(tensors, "self.row_sum_error", "encoder.0.row_sum_error")
        self.attention_card.set_provenance(attention or Provenance.MODELLED)
        below = {
            TENSOR: attention,
            INTO_MEMORY: provenance(tensors, "gradient.whole"),
            EVERY_TOKEN: table,
        }
        self.tensor_card.set_provenance(below[self.views.index])

    def _tensors(self) -> Result | None:
        return tensors_run(self._plan, self._result)

    def _changes(self) -> Result | None:
        return changes_run(self._plan, self._result)

    # What a person does.

    def _change_token(self, stack: str, position: int) -> None:
        """Replace that token, or put it back. A run that was made before is made anew with it."""
        self._pick(stack, position)
        if self._plan is None:
            return
        changed = tokens.token_clicked(self._plan, stack, position)
        if changed is not None:
            had_run = self._tensors() is not None
            self.form.propose(changed)
            self.selection.update(lens=CHANGE)
            if had_run:
                self.run_bar.request_run()

    def _pick(self, stack: str, position: int) -> None:
        self.selection.update(**{f"{stack}_token": position})

    def _on_place(self, place: str) -> None:
        edge = self._graph.edge_by_id.get(place)
        if edge is None:
            self.selection.update(node=place or None, edge=None)
        else:
            self.selection.update(node=edge.start, edge=place)
        if place:
            self.views.show_picture(TENSOR)

    def _on_own_cell(self, row: int, column: int) -> None:
        """Both axes are one text: the token that is not picked yet is the one that was meant."""
        if self._plan is not None:
            stack = "target" if self._plan.params.has_decoder else "source"
            now = self.selection.selection.index(f"{stack}_token")
            self._pick(stack, row if row >= 0 and row != now else max(column, 0))

    def _on_crossed_cell(self, row: int, column: int) -> None:
        picked = {"target_token": row, "source_token": column}
        self.selection.update(**{kind: at for kind, at in picked.items() if at >= 0})

    def _on_influence_cell(self, row: int, column: int) -> None:
        page = self.influence.page
        if page is not None and row >= 0:
            self._pick(page.name, row)
        elif column >= 0:
            self._pick("target" if self._plan and self._plan.params.has_decoder else "source", column)

    def _on_tensor_cell(self, row: int, _column: int) -> None:
        if self._plan is not None and row >= 0:
            self._pick(tokens.stack_of(self._plan.flow.node(self.tensor.node)), row)

    def _drop_what_is_gone(self, plan: Plan) -> None:
        """Tokens, tensors and heads that these parameters do not have are no longer picked."""
        chosen = self.selection.selection
        gone: dict[str, None] = {}
        for stack in ("source", "target"):
            if chosen.index(f"{stack}_token") >= len(tokens.labels_of(plan, stack)):
                gone[f"{stack}_token"] = None
        if chosen.get("node") not in {node.id for node in plan.flow.nodes}:
            gone["node"] = None
        if chosen.get("edge") not in self._graph.edge_by_id:
            gone["edge"] = None
        for kind in ("head_self", "head_cross"):
            if chosen.index(kind) >= plan.params.heads:
                gone[kind] = None
        self.selection.update(**gone)


def _index(selection: Selection, kind: str) -> int | None:
    found = selection.get(kind)
    return found if isinstance(found, int) else None
