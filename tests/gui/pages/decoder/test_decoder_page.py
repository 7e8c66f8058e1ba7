"""The page decoder: texts, diagram, maps and form follow one another; what nothing moves is said to be 0, exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from core.contracts.registry import topic
from core.contracts.result import Environment, Metric, Provenance, Result
from core.topics.decoder.model import Plan
from core.topics.decoder.params import DecoderParams
from gui.pages.decoder import DecoderPage

CHANGED = DecoderParams(source="a b c", target="c b a", padding=1, perturb="target", position=2)


@pytest.fixture
def page(qtbot: Any) -> DecoderPage:
    made = DecoderPage(topic("decoder"))
    qtbot.addWidget(made)
    made.resize(1600, 1000)
    made.params_changed.connect(lambda params: made.show_plan(plan_of(params), params))
    made.form.set_params(CHANGED)
    made.show_plan(plan_of(CHANGED), CHANGED)
    made.show()
    return made


def plan_of(params: DecoderParams) -> Plan:
    planned: Plan = topic("decoder").plan(params)
    return planned


def run_of(params: DecoderParams) -> Result:
    """What a run returns: whatever stands at or after the changed token moves by its distance plus one."""
    plan = plan_of(params)
    source_len, target_len = len(plan.inputs.source.labels), len(plan.inputs.target.labels)
    moved = np.maximum(np.arange(target_len) - params.position + 1, 0).astype(np.float32)
    arrays = {
        "attention.self": np.tril(np.ones((params.heads, target_len, target_len), np.float32)),
        "attention.cross": np.full((params.heads, target_len, source_len), 1 / source_len, np.float32),
        "change.output": moved,
        "stage.output": np.ones((target_len, 8), np.float32),
        "influence.target": np.triu(np.ones((target_len, target_len), np.float32)),
        "influence.source": np.ones((source_len, target_len), np.float32),
        **{f"gradient.{path}": np.ones((target_len, source_len), np.float32) for path in ("whole", "k", "v")},
    }
    metrics = {
        "perturbation.positions": Metric(float((moved > 0).sum()), "tokens", Provenance.TRACED),
        "self.row_sum_error": Metric(1e-7, "", Provenance.TRACED),
        "gradient.whole": Metric(2.0, "", Provenance.MEASURED_CPU),
    }
    return Result("decoder", params.model_dump(mode="json"), Environment("cpu", "lanes", {}), metrics, arrays)


def test_that_the_plan_draws_both_attentions_and_decoder_only_has_no_cross_attention(page: DecoderPage) -> None:
    assert {"decoder.self.heads", "decoder.cross.heads", "memory"} <= set(page.diagram.graph.by_id)
    page.form.propose(CHANGED.changed(kind="decoder-only"))
    assert "decoder.self.heads" in page.diagram.graph.by_id
    assert not any("cross" in node or node == "memory" for node in page.diagram.graph.by_id)


def test_that_clicking_a_token_changes_the_parameters_and_runs_again_only_after_a_run(
    page: DecoderPage, qtbot: Any
) -> None:
    asked: list[str] = []
    page.run_requested.connect(asked.append)
    page.strip.clicked.emit("source", 1)
    params = page.params
    assert isinstance(params, DecoderParams)
    assert (params.perturb, params.position) == ("source", 1)
    assert page.selection.selection.get("source_token") == 1
    assert asked == []

    page.present(run_of(params), {})
    page.strip.clicked.emit("target", 2)
    assert page.params == CHANGED
    assert len(asked) == 1


def test_that_a_run_is_drawn_taken_back_and_not_shown_for_other_texts(page: DecoderPage) -> None:
    page.present(run_of(CHANGED), {})
    assert page.attention_card.badge.provenance is Provenance.TRACED
    assert any("0" in highlight.tip for highlight in page.diagram.highlights.values())
    lit = dict(page.diagram.highlights)

    page.form.propose(CHANGED.changed(target="a a a"))
    assert page.attention_card.badge.provenance is Provenance.MODELLED
    page.form.propose(CHANGED)
    assert dict(page.diagram.highlights) == lit

    page.withdraw()
    assert page.attention_card.badge.provenance is Provenance.MODELLED
    assert dict(page.diagram.highlights) != lit


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
    page.present(run_of(CHANGED), {})
    page.attention.cross.map.cell_picked.emit(1, 2)
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
    page.present(run_of(CHANGED), {})
    dark = page.grab().toImage()
    assert dark != before
    theme.apply(app, "light")
    light = page.grab().toImage()
    theme.apply(app, "dark")
    assert light != dark
