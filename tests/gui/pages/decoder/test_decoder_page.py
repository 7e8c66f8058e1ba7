"""The decoder page: texts, diagram, maps and form stay in sync; unchanged positions read exactly 0."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QApplication

from core.contracts.registry import topic
from core.contracts.result import Provenance
from core.contracts.text import verbatim
from core.topics.decoder.params import DecoderParams
from core.topics.decoder.plan import Plan
from core.topics.decoder.result import DecoderResult, EmptyMemory, Outcome
from gui import theme
from gui.pages.decoder import DecoderPage
from tests.gui.pages.decoder.decoder_result import decoder_result

CHANGED = DecoderParams(source="a b c", target="c b a", padding=1, perturb="target", position=2)


def new_page() -> DecoderPage:
    page = DecoderPage(topic("decoder"))
    theme.dress(page)
    page.resize(1600, 1000)
    page.params_changed.connect(lambda params: page.show_plan(plan_of(params), params))
    page.form.set_params(CHANGED)
    page.show_plan(plan_of(CHANGED), CHANGED)
    page.show()
    return page


def plan_of(params: DecoderParams) -> Plan:
    planned: Plan = topic("decoder").plan(params)
    return planned


def test_that_the_plan_draws_both_attentions_and_decoder_only_has_no_cross_attention(page: DecoderPage) -> None:
    assert {"decoder.self.heads", "decoder.cross.heads", "memory"} <= set(page.diagram.graph.by_id)
    page.form.propose(CHANGED.changed(kind="decoder-only"))
    assert "decoder.self.heads" in page.diagram.graph.by_id
    assert not any("cross" in node or node == "memory" for node in page.diagram.graph.by_id)


def test_that_a_memory_of_padding_is_remarked_on_and_its_outcomes_are_listed(page: DecoderPage) -> None:
    assert page.remarks.isHidden()
    assert page.empty_memory.is_empty
    empty = CHANGED.changed(source="")
    page.form.propose(empty)
    assert not page.remarks.isHidden()
    assert page.remarks.text() == str(page.topic.remarks(empty)[0].text)
    rows = (
        EmptyMemory("naive", verbatim("softmax"), Outcome.NAN, 4, 4),
        EmptyMemory("sdpa", verbatim("SDPA"), Outcome.ZEROS, 0, 4),
    )
    page.show_result(DecoderResult(params=empty, empty_memory=rows))
    assert page.empty_memory.rows == rows
    assert page.empty_memory.model.columns[1].text(rows[0]) == "NaN"
    page.form.propose(CHANGED)
    assert page.remarks.isHidden()


def test_that_clicking_a_token_changes_the_parameters_and_runs_again_only_after_a_run(
    page: DecoderPage, qtbot: Any
) -> None:
    requests: list[str] = []
    page.run_requested.connect(requests.append)
    page.strip.clicked.emit("source", 1)
    params = page.params
    assert isinstance(params, DecoderParams)
    assert (params.perturb, params.position) == ("source", 1)
    assert page.selection.selection.get("source_token") == 1
    assert requests == []

    page.present(decoder_result(params), {})
    page.strip.clicked.emit("target", 2)
    assert page.params == CHANGED
    assert len(requests) == 1


def test_that_a_run_is_drawn_taken_back_and_not_shown_for_other_texts(page: DecoderPage) -> None:
    page.present(decoder_result(CHANGED), {})
    assert page.cards["attention"].badge.provenance is Provenance.TRACED
    assert any("0" in highlight.tip for highlight in page.diagram.highlights.values())
    highlighted = dict(page.diagram.highlights)

    page.form.propose(CHANGED.changed(target="a a a"))
    assert page.cards["attention"].badge.provenance is Provenance.MODELLED
    page.form.propose(CHANGED)
    assert dict(page.diagram.highlights) == highlighted

    page.withdraw()
    assert page.cards["attention"].badge.provenance is Provenance.MODELLED
    assert dict(page.diagram.highlights) != highlighted


def test_that_arrows_walk_along_the_target_and_stop_at_its_ends(page: DecoderPage) -> None:
    last = len(plan_of(CHANGED).inputs.target.labels) - 1
    for expected in (0, 1, 2):
        page.step(1)
        assert page.selection.selection.get("target_token") == expected
    for _ in range(last + 3):
        page.step(1)
    assert page.selection.selection.get("target_token") == last
    page.step(-1)
    assert page.selection.selection.get("target_token") == last - 1


def test_that_a_cell_of_the_cross_attention_picks_both_tokens_everywhere(page: DecoderPage) -> None:
    page.present(decoder_result(CHANGED), {})
    page.attention.cross_attention.map.cell_picked.emit(1, 2)
    assert page.selection.selection.get("target_token") == 1
    assert page.selection.selection.get("source_token") == 2


def test_that_a_box_of_the_diagram_shows_its_tensor_and_goes_with_the_block_that_had_it(page: DecoderPage) -> None:
    page.diagram.picked.emit("memory")
    assert page.tensor.node == "memory"
    assert page.diagram.selected == "memory"
    page.form.propose(CHANGED.changed(kind="decoder-only"))
    assert page.selection.selection.get("node") is None
    assert page.tensor.node != "memory"


def test_that_the_page_is_drawn_in_both_themes_without_a_run_and_with_one(page: DecoderPage) -> None:
    from gui import theme

    app = QApplication.instance()
    assert isinstance(app, QApplication)
    before = page.grab().toImage()
    page.present(decoder_result(CHANGED), {})
    dark = page.grab().toImage()
    assert dark != before
    theme.apply(app, "light")
    light = page.grab().toImage()
    theme.apply(app, "dark")
    assert light != dark
