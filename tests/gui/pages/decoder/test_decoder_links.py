"""The decoder page with the mouse: a selection in one view is marked in all others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from core.contracts.registry import topic
from core.contracts.result import Provenance
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.plan import Plan, plan
from core.topics.decoder.result import Influence, MemoryGradient
from gui import theme
from gui.pages.decoder import DecoderPage
from gui.pages.decoder.flow_graph import edge_id
from gui.pages.decoder.page import EVERY_TOKEN, INTO_MEMORY, TENSOR
from gui.pages.decoder.views import COST, GRADIENT
from tests.gui.pages.decoder.decoder_result import decoder_result

PARAMS = DecoderParams()
KEYS = edge_id("memory", "decoder.cross.k")


def plan_of(page: DecoderPage) -> Plan:
    planned: Plan = page.topic.plan(page.params)
    return planned


def new_page() -> DecoderPage:
    page = DecoderPage(topic("decoder"))
    theme.dress(page)
    page.params_changed.connect(lambda params: page.show_plan(plan_of(page), params))
    page.resize(1600, 1000)
    page.show_plan(plan_of(page), PARAMS)
    page.show()
    page.show_result(decoder_result(PARAMS))
    return page


def chosen(page: DecoderPage, kind: str) -> object:
    return page.selection.selection.get(kind)


def click(widget: Any, position: Any) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=position.toPoint())


def test_that_a_click_on_a_source_token_replaces_it_everywhere_at_once(page: DecoderPage) -> None:
    click(page.strip.canvas, page.strip.canvas.cell_rect(0, 4).center())
    assert isinstance(page.params, DecoderParams)
    assert (page.params.perturb, page.params.position) == ("source", 4)
    assert [cell.struck for cell in page.strip.rows[0].cells].index(True) == 4
    # The table of all tokens answers before the new run does; the diagram still goes by the masks.
    assert page.tokens.badge.provenance is Provenance.MEASURED_CPU
    assert page.cards["block"].badge.provenance is Provenance.MODELLED
    assert page.diagram.highlights["memory"].amount > 0
    assert page.diagram.highlights["decoder.self.heads"].amount == 0
    assert page.cards["attention"].badge.provenance is Provenance.TRACED


def test_that_undo_puts_the_token_back_and_brings_the_run_s_own_change(page: DecoderPage) -> None:
    lit = dict(page.diagram.highlights)
    click(page.strip.canvas, page.strip.canvas.cell_rect(0, 4).center())
    assert dict(page.diagram.highlights) != lit
    page.form.undo_stack.undo()
    assert dict(page.diagram.highlights) == lit
    assert page.cards["block"].badge.provenance is Provenance.TRACED


def test_that_a_pad_is_followed_but_not_replaced(page: DecoderPage) -> None:
    click(page.strip.canvas, page.strip.canvas.cell_rect(0, 8).center())
    assert page.params == PARAMS
    assert chosen(page, "source_token") == 8


def test_that_an_arrow_shows_the_tensor_that_flows_along_it(page: DecoderPage) -> None:
    page.views.show_picture(EVERY_TOKEN)
    click(page.diagram.canvas, page.diagram.canvas.point_of(KEYS))
    assert (chosen(page, "node"), chosen(page, "edge")) == ("memory", KEYS)
    assert page.diagram.selected == KEYS
    assert page.views.index == TENSOR
    assert page.tensor.map.page is not None
    assert page.tensor.map.page.shape == (9, 128)
    page.tensor.combo.setCurrentIndex(page.tensor.combo.findData("decoder.cross.q"))
    assert page.diagram.selected == "decoder.cross.q"
    assert page.tensor.map.page.shape == (7, 128)


def test_that_a_tensor_inside_an_encoder_layer_is_marked_on_that_layer(page: DecoderPage) -> None:
    page.selection.update(node="encoder.0.self.k")
    assert page.diagram.selected == "encoder.0.feed_forward.norm"
    assert page.tensor.node == "encoder.0.self.k"


def test_that_tokens_light_their_rows_and_columns_in_every_map(page: DecoderPage) -> None:
    page.selection.update(target_token=2, source_token=5)
    self_attention, cross = page.attention.self_attention.map, page.attention.cross_attention.map
    assert (self_attention.row, self_attention.column) == (2, 2)
    assert (cross.row, cross.column) == (2, 5)
    assert (page.gradient.row, page.gradient.column) == (2, 5)
    assert page.influence.row == 2
    assert page.strip.marked == {"target": 2, "source": 5}
    assert page.tensor.map.row == 2
    page.selection.update(node="memory")
    assert page.tensor.map.row == 5


def test_that_maps_pick_tokens(page: DecoderPage) -> None:
    cross, self_attention = page.attention.cross_attention.map, page.attention.self_attention.map
    click(cross.matrix, cross.matrix.axes.cell_rect(3, 6).center())
    assert (chosen(page, "target_token"), chosen(page, "source_token")) == (3, 6)
    click(self_attention.matrix, self_attention.matrix.axes.cell_rect(5, 1).center())
    assert chosen(page, "target_token") == 5
    click(self_attention.matrix, self_attention.matrix.axes.cell_rect(5, 1).center())
    assert chosen(page, "target_token") == 1
    page.views.show_picture(INTO_MEMORY)
    page.gradient.cell_picked.emit(4, 0)
    assert (chosen(page, "target_token"), chosen(page, "source_token")) == (4, 0)


def test_that_heads_are_picked_and_shown_each_in_its_own_attention(page: DecoderPage) -> None:
    self_attention, cross = page.attention.self_attention, page.attention.cross_attention
    click(cross.map.thumbs, cross.map.thumbs.box_of(2).center())
    assert chosen(page, "head_cross") == 2
    assert (self_attention.map.index, cross.map.index) == (0, 2)
    assert cross.title.endswith("head 3/4")
    page.selection.update(head_self=3)
    assert (self_attention.map.index, cross.map.index) == (3, 2)
    page.form.propose(PARAMS.changed(heads=1))
    assert (chosen(page, "head_self"), chosen(page, "head_cross")) == (None, None)


def test_that_the_lenses_say_where_their_light_comes_from(page: DecoderPage) -> None:
    page.selection.update(lens=GRADIENT)
    assert page.block.lenses.index == GRADIENT
    assert page.cards["block"].badge.provenance is Provenance.MEASURED_CPU
    assert set(page.diagram.highlights) >= {KEYS, "decoder.cross.q"}
    page.block.lenses.choose(COST)
    assert chosen(page, "lens") == COST
    assert page.cards["block"].badge.provenance is Provenance.MODELLED
    assert page.diagram.note[0] == f"{plan(PARAMS).parameters:,} parameters"


def test_that_the_table_of_all_tokens_follows_its_own_text(page: DecoderPage) -> None:
    page.views.show_picture(EVERY_TOKEN)
    assert page.cards["tensor"].badge.provenance is Provenance.MEASURED_CPU
    click(page.influence.thumbs, page.influence.thumbs.box_of(1).center())
    page.influence.cell_picked.emit(6, 2)
    assert chosen(page, "source_token") == 6
    assert page.influence.row == 6


def test_that_without_cross_attention_the_page_says_so(page: DecoderPage) -> None:
    page.form.propose(PARAMS.changed(kind="decoder-only"))
    assert page.attention.cross_attention.map.is_empty
    assert "no cross-attention" in page.attention.cross_attention.map.empty_sentence
    page.selection.update(lens=GRADIENT)
    assert "Without cross-attention" in page.diagram.note[1]
    page.form.propose(PARAMS.changed(kind="encoder-only", perturb="none"))
    assert [row.key for row in page.strip.rows] == ["source", ""]
    page.step(1)
    assert chosen(page, "source_token") is not None


def test_that_a_run_in_the_making_keeps_the_table_of_all_tokens(page: DecoderPage) -> None:
    click(page.strip.canvas, page.strip.canvas.cell_rect(1, 5).center())
    assert isinstance(page.params, DecoderParams)
    whole = decoder_result(page.params)
    page.show_partial(replace(whole, influence=Influence(), gradient=MemoryGradient()))
    assert not page.influence.is_empty
    assert not page.gradient.is_empty
    assert page.cards["block"].badge.provenance is Provenance.TRACED
    assert page.diagram.highlights["output"].sure


def test_that_a_run_that_ends_after_the_texts_changed_is_marked_stale(page: DecoderPage) -> None:
    page.form.propose(PARAMS.changed(seed=3))
    page.show_result(decoder_result(PARAMS))
    assert page.cards["block"].property("stale")
    assert page.cards["attention"].badge.provenance is Provenance.TRACED
    page.show_plan(plan_of(page), page.params)
    assert not page.cards["block"].property("stale")
    assert page.cards["attention"].badge.provenance is Provenance.MODELLED


def test_that_the_next_run_is_drawn_after_one_that_ended_too_late(page: DecoderPage) -> None:
    page.form.propose(PARAMS.changed(seed=3))
    page.show_result(decoder_result(PARAMS))
    assert page.state is not None
    page._redraw(page.state)
    assert page.cards["block"].property("stale"), "drawn again, it still is of other texts"
    page.show_result(decoder_result(page.params))
    assert page.cards["attention"].badge.provenance is Provenance.TRACED
    assert not any(card.property("stale") for card in page.cards.values())


def test_that_another_changed_token_makes_no_card_stale(page: DecoderPage) -> None:
    page.form.propose(PARAMS.changed(position=1))
    assert page.cards["attention"].badge.provenance is Provenance.TRACED
    assert not any(card.property("stale") for card in page.cards.values())


def test_that_the_names_of_both_attentions_fit_on_a_small_screen(page: DecoderPage) -> None:
    page.resize(1176, 690)
    for params in (PARAMS, PARAMS.changed(causal=False), PARAMS.changed(kind="encoder-only", perturb="none")):
        page.form.propose(params)
        for show in (lambda: page.show_result(decoder_result(PARAMS)), page.clear_result):
            show()
            page.grab()  # lays it out
            for titled in (page.attention.self_attention, page.attention.cross_attention):
                (label,) = (label for label in titled.findChildren(QLabel) if label.text() == titled.title)
                assert label.fontMetrics().horizontalAdvance(label.text()) <= label.width()
