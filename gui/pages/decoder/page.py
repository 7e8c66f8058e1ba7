"""The decoder page: texts, the block as a diagram, both attentions and the tensors, all linked."""

from __future__ import annotations

from core.contracts.result import Provenance
from core.contracts.text import tr
from core.topics.decoder.flow import Node
from core.topics.decoder.plan import Plan
from core.topics.decoder.result import DecoderResult
from gui.charts.token_map import TokenMap
from gui.page.card_spec import CardSpec, Strip
from gui.page.page import Page
from gui.page.selection import Selection
from gui.page.state import PageState
from gui.pages.decoder import highlights, view_data
from gui.pages.decoder.empty_memory_table import EmptyMemoryTable
from gui.pages.decoder.flow_graph import FlowGraph
from gui.pages.decoder.layout import diagram_of, shown_place
from gui.pages.decoder.view_data import provenance
from gui.pages.decoder.views import CHANGE, COST, GRADIENT, AttentionPair, BadgedStrip, LensedDiagram, TensorView
from gui.widgets.remark_strip import RemarkStrip
from gui.widgets.switcher import Switcher
from gui.zoom import Px

_BLOCK_HELP = tr(
    "Boxes are tensors; arrows show which tensors each operation reads, with their shapes. The cells in a box are its "
    "positions: bright where the replaced token changes them, dark where the change is exactly 0. Click a box or an "
    "arrow to see its tensor. Tab, Up and Down move between boxes, the wheel zooms, a double click fits."
)
_ATTENTION_HELP = tr(
    "Rows are queries, columns are keys; brighter means more weight (0 to 1). The small maps are the heads: click one "
    "to enlarge it. Click a cell or a label to highlight that token in every view."
)
_TENSOR_HELP = tr(
    "The tensor of the selected box or arrow; the gradient from each output position into each memory position; and "
    "the effect of replacing each token in turn."
)
_ROW_PX = Px(420)
"""The minimum height at which the diagram is legible; a lower window scrolls."""
TENSOR, INTO_MEMORY, EVERY_TOKEN, EMPTY_MEMORY = range(4)
_FIRST_NODES = ("decoder.cross.heads", "decoder.self.heads", "memory")


class DecoderPage(Page[Plan, DecoderResult]):
    """Selection kinds: source_token, target_token, node, edge, head_self, head_cross, lens, tensor_view."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self._graph = FlowGraph((), ())
        self._drawn_tensor: tuple[Node, DecoderResult | None] | None = None
        self.tokens, self.block, self.attention = BadgedStrip(), LensedDiagram(), AttentionPair()
        self.strip, self.diagram = self.tokens.strip, self.block.diagram
        self.tensor = TensorView()
        self.gradient = TokenMap(
            tr("Run (F5) to see the gradient from each output position into each memory position.")
        )
        self.influence = TokenMap(tr("Run (F5) to see the effect of replacing each token in turn."))
        self.remarks, self.empty_memory = RemarkStrip(), EmptyMemoryTable()
        self.views = Switcher(
            [
                ("tensor", tr("Tensor"), self.tensor),
                ("gradient", tr("Gradient"), self.gradient),
                ("every-token", tr("Every token"), self.influence),
                ("empty-memory", tr("Empty memory"), self.empty_memory),
            ],
            "tensor_view",
        )
        half_px = _ROW_PX // 2 - 4
        return (
            Strip(self.tokens),
            Strip(self.remarks),
            CardSpec("block", self.block, tr("The block"), _BLOCK_HELP, width=6, minimum_px=_ROW_PX),
            CardSpec(
                "attention", self.attention, tr("Attention"), _ATTENTION_HELP, column=1, width=5, minimum_px=half_px
            ),
            CardSpec(
                "tensor", self.views, tr("Tensors"), _TENSOR_HELP, under="attention", upper_height=4, height=3,
                minimum_px=half_px,
            ),
        )  # fmt: skip

    def link(self) -> None:
        self.strip.clicked.connect(self._change_token)
        self.strip.moved.connect(self._pick)
        self.diagram.picked.connect(self._on_place)
        self.block.lenses.chosen.connect(lambda lens: self.selection.update(lens=lens))
        self.block.lenses.chosen.connect(lambda _: self._draw_highlights())
        self.tensor.node_chosen.connect(lambda node: self.selection.update(node=node, edge=None))
        self_map, cross_map = self.attention.self_attention.map, self.attention.cross_attention.map
        self_map.page_picked.connect(lambda head: self.selection.update(head_self=head))
        cross_map.page_picked.connect(lambda head: self.selection.update(head_cross=head))
        self_map.cell_picked.connect(self._on_self_cell)
        for crossed in (cross_map, self.gradient):
            crossed.cell_picked.connect(self._on_crossed_cell)
        self.gradient.page_picked.connect(self.gradient.show_page)
        self.influence.page_picked.connect(self._show_influence_page)
        self.influence.cell_picked.connect(self._on_influence_cell)
        self.tensor.map.cell_picked.connect(self._on_tensor_cell)
        self.views.switched.connect(lambda _: self._write_badges())

    def show_partial(self, result: DecoderResult) -> None:
        """Until the new run has the effect of every token, show that of the last run on the same texts."""
        self.show_result(result.with_all_tokens_of(None if self.state is None else self.state.result))

    def show_result(self, result: DecoderResult) -> None:
        """Show a run. If the texts changed since, show it as stale on its own texts until the form changes again."""
        if self.state is not None and result.is_run_of(self.state.params):
            super().show_result(result)
            return
        params = self.params if result.is_run_of(self.params) else result.params
        self._redraw(PageState(params, self.topic.plan(params), result, form=self.params))

    def draw(self, state: PageState[Plan, DecoderResult]) -> None:
        plan, run = state.plan, state.fitting
        self._graph = diagram_of(plan)
        self.diagram.set_graph(self._graph)
        self_name, cross_name = view_data.attention_names(plan)
        self.attention.self_attention.set_pages(
            view_data.attention_title(self_name, plan), view_data.attention_pages(plan, self_name, run)
        )
        self.attention.cross_attention.set_pages(
            view_data.attention_title("cross", plan),
            [] if cross_name is None else view_data.attention_pages(plan, cross_name, run),
        )
        self.strip.set_rows(view_data.strip_rows(plan, run))
        self.tensor.set_nodes(view_data.tensor_names(plan))
        self._drawn_tensor = None
        self.gradient.set_pages(view_data.gradient_pages(plan, run))
        self.influence.set_pages(view_data.influence_pages(plan, run))
        self.remarks.set_remarks(self.topic.remarks(plan.params))
        self.empty_memory.show_rows(plan, run)
        self._draw_highlights()
        self._drop_stale_selection(plan)

    def select(self, selection: Selection) -> None:
        """Show the selection in every view. A setter emits nothing if nothing changes, so no loop arises."""
        if self.state is None:
            return
        plan = self.state.plan
        source, target = (_index(selection, kind) for kind in ("source_token", "target_token"))
        self.strip.mark(source=source, target=target)
        attending = target if plan.params.has_decoder else source
        self.attention.self_attention.map.select(attending, attending)
        self.attention.cross_attention.map.select(target, source)
        self.gradient.select(target, source)
        self.attention.self_attention.show_page(selection.index("head_self", self.attention.self_attention.map.index))
        self.attention.cross_attention.show_page(
            selection.index("head_cross", self.attention.cross_attention.map.index)
        )
        self.block.lenses.choose(selection.index("lens", CHANGE))
        node, edge = selection.get("node"), selection.get("edge")
        shown = shown_place(plan, self._graph, node if isinstance(node, str) else None)
        self.diagram.select(edge if isinstance(edge, str) else shown)
        if self._influence_stack:
            self.influence.select(source if self._influence_stack == "source" else target, None)
        self._show_tensor(self.state, str(node), source, target)

    def step(self, delta: int) -> None:
        """Left and Right go from token to token."""
        if self.state is None:
            return
        chosen, inputs = self.selection.selection, self.state.plan.inputs
        on_source = "source_token" in chosen and "target_token" not in chosen
        stack = "source" if on_source or not inputs.labels("target") else "target"
        stack = stack if inputs.labels(stack) else "target"
        last = len(inputs.labels(stack)) - 1
        position = chosen.index(f"{stack}_token", -1 if delta > 0 else last + 1)
        self._pick(stack, min(last, max(0, position + delta)))

    # Drawing

    def _draw_highlights(self) -> None:
        if self.state is None:
            return
        plan, run, lens = self.state.plan, self.state.fitting, self.block.lenses.index
        if lens == CHANGE:
            changes = {} if run is None else run.changes_of(plan.params)
            places = highlights.change_highlights(plan, self._graph, changes)
            note = highlights.change_note(plan, changes)
        elif lens == GRADIENT:
            norms = {} if run is None else run.gradient.norms
            places = highlights.gradient_highlights(self._graph, norms)
            note = highlights.gradient_note(plan, norms)
        else:
            places = highlights.cost_highlights(plan, self._graph)
            note = highlights.cost_note(plan)
        self.diagram.set_highlights(places)
        self.diagram.set_note(*note)
        self._write_badges()

    def _show_tensor(
        self, state: PageState[Plan, DecoderResult], node_id: str, source: int | None, target: int | None
    ) -> None:
        flow = state.plan.flow
        known = [node.id for node in flow.nodes]
        node = flow.node(next(name for name in (node_id, *_FIRST_NODES) if name in known))
        self.tensor.choose(node.id)
        drawn = (node, state.fitting)
        if self._drawn_tensor is None or any(a is not b for a, b in zip(drawn, self._drawn_tensor, strict=True)):
            self._drawn_tensor = drawn
            self.tensor.set_facts(f"{node.label}  {node.shape}")
            self.tensor.map.set_pages(view_data.tensor_page(state.plan, node.id, state.fitting))
        self.tensor.map.select(source if node.text == "source" else target, None)

    @property
    def _influence_stack(self) -> str:
        """The text whose tokens the influence map in front replaces, '' if there is none."""
        stacks = view_data.influence_stacks(None if self.state is None else self.state.fitting)
        return stacks[self.influence.index] if self.influence.page is not None and stacks else ""

    def _show_influence_page(self, index: int) -> None:
        self.influence.show_page(index)
        self.select(self.selection.selection)

    def _write_badges(self) -> None:
        if self.state is None:
            return
        run = self.state.fitting
        changed = run is not None and bool(run.changes_of(self.state.plan.params))
        change = provenance(run, "perturbation.positions") if changed else None
        table = provenance(run, "past.cells", "source.cells")
        gradient = provenance(run, "gradient.whole")
        attention = provenance(run, "self.row_sum_error", "encoder.0.row_sum_error")
        block = {CHANGE: change, GRADIENT: gradient, COST: None}[self.block.lenses.index]
        self.cards["block"].set_provenance(block or Provenance.MODELLED)
        self.tokens.badge.set_provenance(change or table or Provenance.MODELLED)
        self.cards["attention"].set_provenance(attention or Provenance.MODELLED)
        empty = provenance(run, "empty_memory.sdpa.nan_rows")
        below = {TENSOR: attention, INTO_MEMORY: gradient, EVERY_TOKEN: table, EMPTY_MEMORY: empty}
        self.cards["tensor"].set_provenance(below[self.views.index])

    # User actions

    def _change_token(self, stack: str, position: int) -> None:
        """Replace a token, or restore it. If there is a run, run again with the change."""
        self._pick(stack, position)
        if self.state is None:
            return
        changed = self.state.plan.with_token_changed(stack, position)
        if changed is not None:
            had_run = self.state.fitting is not None
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

    def _on_self_cell(self, row: int, column: int) -> None:
        """Both axes are the same text: select the token of the cell that is not selected yet."""
        if self.state is not None:
            stack = self.state.plan.end.text
            selected = self.selection.selection.index(f"{stack}_token")
            self._pick(stack, row if row >= 0 and row != selected else max(column, 0))

    def _on_crossed_cell(self, row: int, column: int) -> None:
        picked = {"target_token": row, "source_token": column}
        self.selection.update(**{kind: position for kind, position in picked.items() if position >= 0})

    def _on_influence_cell(self, row: int, column: int) -> None:
        if self._influence_stack and row >= 0:
            self._pick(self._influence_stack, row)
        elif column >= 0 and self.state is not None:
            self._pick(self.state.plan.end.text, column)

    def _on_tensor_cell(self, row: int, _column: int) -> None:
        if self.state is not None and row >= 0:
            self._pick(self.state.plan.flow.node(self.tensor.node).text, row)

    def _drop_stale_selection(self, plan: Plan) -> None:
        """Deselect tokens, tensors and heads that these parameters do not have."""
        chosen = self.selection.selection
        deselected: dict[str, None] = {}
        for stack in ("source", "target"):
            if chosen.index(f"{stack}_token") >= len(plan.inputs.labels(stack)):
                deselected[f"{stack}_token"] = None
        if chosen.get("node") not in {node.id for node in plan.flow.nodes}:
            deselected["node"] = None
        if chosen.get("edge") not in self._graph.edge_by_id:
            deselected["edge"] = None
        for kind in ("head_self", "head_cross"):
            if chosen.index(kind) >= plan.params.heads:
                deselected[kind] = None
        self.selection.update(**deselected)


def _index(selection: Selection, kind: str) -> int | None:
    position = selection.get(kind)
    return position if isinstance(position, int) else None
