"""The training page: the plan is drawn at once, a run fills it stage by stage, and all views select together."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest

from core.contracts.result import Provenance
from core.contracts.text import verbatim
from core.topics.training import TOPIC
from core.topics.training.params import TrainingParams
from core.topics.training.result import TrainingResult
from core.topics.training.stage_ids import DPO, GRPO, PPO, PRETRAINING, REWARD, SFT, STAGES
from gui import theme, translation
from gui.charts.line_chart import LineChart
from gui.charts.row_chart import RowChart
from gui.pages.training import TrainingPage
from gui.pages.training.comparisons import CALIBRATION, EPOCHS, EQUAL, FRONTIER, KNOWLEDGE, MODELS
from gui.pages.training.curves_view import ANY
from gui.pages.training.metric_groups import ANSWERS, LOSS, REWARDS, UPDATES, VIEWS
from gui.pages.training.rollout_view import COLOURINGS
from gui.pages.training.route_layout import OWN_LOG
from gui.pages.training.samples_view import ANSWERS as ANSWERS_BY_STAGE
from gui.pages.training.samples_view import DATA, ROLLOUT
from tests.gui.pages.training.training_result import training_result


def new_page() -> TrainingPage:
    shown = TrainingPage(TOPIC)
    theme.dress(shown)
    shown.resize(1500, 1000)
    shown.params_changed.connect(lambda params: shown.show_plan(shown.topic.plan(params), params))
    shown.show_plan(shown.topic.plan(shown.params), shown.params)
    shown.show()
    return shown


def params(page: TrainingPage) -> TrainingParams:
    current = page.params
    assert isinstance(current, TrainingParams)
    return current


def change(page: TrainingPage, **changes: Any) -> None:
    page.form.propose(params(page).changed(**changes))


def present(page: TrainingPage, result: TrainingResult | None = None) -> TrainingResult:
    result = result or training_result(params(page))
    page.present(result, {})
    return result


def click(page: TrainingPage, stage: str) -> None:
    canvas = page.routes.canvas
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=canvas.places.boxes[stage].center().toPoint())


def write_log(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text(json.dumps({"log_history": rows}))
    return str(path)


def stuck_log(path: Path) -> str:
    rows = [{"step": step, "loss": 0.6931, "rewards/margins": 0.0, "x/own": step / 2} for step in range(1, 41)]
    return write_log(path / "trainer_state.json", rows)


# The plan is drawn.


def test_that_the_plan_is_drawn_at_once_and_says_that_it_is_modelled(page: TrainingPage) -> None:
    nodes = page.routes.nodes
    assert set(nodes) == {*STAGES, OWN_LOG}
    assert nodes[PRETRAINING].state == "recorded"
    assert {nodes[stage].state for stage in STAGES[1:]} == {"planned"}
    assert [len(nodes[stage].models) for stage in (SFT, PPO, DPO, GRPO)] == [1, 4, 2, 3]
    assert page.cards["routes"].badge.provenance is Provenance.MODELLED
    assert page.cards["samples"].badge.provenance is Provenance.MODELLED
    assert page.cards["compare"].badge.provenance is Provenance.MODELLED
    assert page.cards["curves"].badge.provenance is None
    assert "Run (F5)" in page.curves.meanings.toPlainText()
    assert "eval_loss" in page.curves.meanings.toPlainText()
    assert not page.compare.models.is_empty


@pytest.mark.parametrize("stage", STAGES)
def test_that_every_stage_shows_its_data_before_a_run(page: TrainingPage, stage: str) -> None:
    click(page, stage)
    shown = page.samples.data.toPlainText()
    sample = page.topic.plan(page.params).stages[stage].samples[0]
    assert (sample.prompt or sample.answer)[:30] in shown.replace("\n", " ")
    assert page.routes.chosen == stage
    assert page.key_metrics.numbers[0].label.endswith(", steps")


def test_that_a_stage_that_is_not_run_says_so(page: TrainingPage) -> None:
    change(page, stage=SFT)
    assert page.routes.nodes[PPO].state == "left out"
    click(page, PPO)
    assert "PPO is not among the stages to run" in page.curves.meanings.toPlainText()


def test_that_a_mistake_on_purpose_says_what_to_look_for(page: TrainingPage) -> None:
    click(page, PPO)
    assert page.curves.remarks.isHidden()
    change(page, sabotage="no_kl")
    assert "objective/kl" in page.curves.remarks.toPlainText()
    present(page)
    assert "objective/kl" in page.curves.remarks.toPlainText()


# A stage is selected.


def test_that_the_keyboard_walks_over_the_map(page: TrainingPage) -> None:
    canvas, reached = page.routes.canvas, []
    canvas.setFocus()
    keys = (Qt.Key.Key_Left, Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right)
    for key in (*keys, Qt.Key.Key_Down, Qt.Key.Key_Right):
        QTest.keyClick(canvas, key)
        reached.append(page.stage_shown)
    assert reached[:7] == [PRETRAINING, OWN_LOG, PRETRAINING, SFT, REWARD, PPO, GRPO]
    assert reached[-1] == reached[-2]  # nothing is further to the right
    assert page.routes.tip.text().startswith(("PPO", "GRPO", "DPO"))


def test_that_a_row_of_a_comparison_selects_its_stage(page: TrainingPage) -> None:
    present(page)
    for rows, key in ((page.compare.models, DPO), (page.compare.equal, GRPO), (page.compare.knowledge, SFT)):
        rows.picked.emit(key)
        assert page.routes.chosen == page.curves.source.key == key  # type: ignore[union-attr]


def test_that_the_curve_of_the_frontier_selects_its_stage(page: TrainingPage) -> None:
    present(page)
    page.compare.frontier.series_picked.emit(DPO)
    assert page.routes.chosen == DPO


# A run fills the page.


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_that_a_partial_result_is_drawn_and_followed(page: TrainingPage, stage: str, share: float) -> None:
    page.show_started("")
    page.show_partial(training_result(params(page), until=stage, share=share, extras=False))
    for view in range(len(VIEWS) + 1):
        page.curves.show_view(view)
    for picture in (DATA, ANSWERS_BY_STAGE, ROLLOUT):
        page.samples.show_picture(picture)
    for picture in (MODELS, FRONTIER, EQUAL, CALIBRATION, KNOWLEDGE, EPOCHS):
        page.compare.show_picture(picture)
    if share < 1 and stage != PRETRAINING:
        assert page.stage_shown == stage
        assert page.routes.nodes[stage].state == "running"
    assert page.routes.nodes[STAGES[-1]].is_lit == (stage == STAGES[-1])


def test_that_the_user_s_stage_stays_while_others_run(page: TrainingPage) -> None:
    page.show_started("")
    page.show_partial(training_result(params(page), until=SFT, share=0.5))
    click(page, REWARD)
    page.show_partial(training_result(params(page), until=PPO, share=0.5))
    assert page.stage_shown == REWARD
    page.show_started("")
    page.show_partial(training_result(params(page), until=DPO, share=0.5))
    assert page.stage_shown == DPO


def test_that_a_whole_run_is_measured_and_lit(page: TrainingPage) -> None:
    present(page)
    assert all(page.routes.nodes[stage].is_lit for stage in STAGES)
    assert page.stage_shown == PPO
    for key in ("routes", "curves", "samples", "compare"):
        assert page.cards[key].badge.provenance is Provenance.MEASURED_CPU
    click(page, PRETRAINING)
    assert page.cards["curves"].badge.provenance is Provenance.RECORDED
    page.withdraw()
    assert page.cards["curves"].badge.provenance is None
    assert page.routes.nodes[PPO].state == "planned"
    assert page.compare.frontier.is_empty or page.compare.switcher.index != FRONTIER


def test_that_a_stage_that_stopped_says_why_and_keeps_its_curves(page: TrainingPage) -> None:
    result = training_result(params(page), until=PPO, share=0.5, error=verbatim("The loss is NaN at step 31."))
    present(page, result)
    click(page, PPO)
    assert page.routes.nodes[PPO].state == "stopped"
    assert "NaN at step 31" in page.curves.remarks.toPlainText()
    assert not page.curves.charts[0].is_empty
    assert any("NaN at step 31" in number.detail for number in page.key_metrics.numbers)


@pytest.mark.parametrize(
    ("stage", "view", "metrics"),
    [
        (SFT, LOSS, ("loss", "eval_loss")),
        (REWARD, LOSS, ("loss", "eval_loss", "ln 2")),
        (PPO, REWARDS, ("eval/scores", "eval/true_reward", "objective/scores", "objective/rlhf_reward", "true_reward")),
        (PPO, UPDATES, ("policy/clipfrac_avg",)),
        (PPO, ANSWERS, ("policy/entropy_avg", "eval/entropy")),
        (DPO, LOSS, ("loss", "ln 2")),
        (DPO, UPDATES, ("rewards/chosen", "rewards/rejected", "rewards/margins")),
        (GRPO, UPDATES, ("clip_ratio/region_mean",)),
    ],
)
def test_that_metrics_of_one_scale_share_a_chart(
    page: TrainingPage, stage: str, view: int, metrics: tuple[str, ...]
) -> None:
    present(page)
    click(page, stage)
    page.curves.show_view(view)
    assert tuple(one.name for one in page.curves.charts[0].series) == metrics


def test_that_any_metric_can_be_chosen_by_name(page: TrainingPage) -> None:
    present(page)
    click(page, PPO)
    page.curves.show_view(ANY)
    page.curves.metric_box.setCurrentText("grad_norm")
    assert [one.name for one in page.curves.charts[0].series] == ["grad_norm"]


# Steps, answers and tokens.


def test_that_a_step_of_the_curves_selects_the_answer_and_the_other_way_round(page: TrainingPage) -> None:
    present(page)
    click(page, PPO)
    page.samples.show_picture(ROLLOUT)
    page.curves.charts[0].x_picked.emit(20)
    rollout = page.samples.rollout
    assert rollout.sample is not None
    assert rollout.sample.step == 19
    assert page.curves.charts[0].selected_x == 20
    rollout.player.first()
    assert page.curves.charts[0].selected_x == 1
    assert page.curves.charts[1].selected_x == 1
    assert page.dismiss()
    assert page.curves.charts[0].selected_x is None


def test_that_the_newest_answer_is_followed_until_the_user_goes_back(page: TrainingPage) -> None:
    page.show_started("")
    page.samples.show_picture(ROLLOUT)
    rollout = page.samples.rollout
    followed = []
    for share in (0.3, 0.6):
        partial = training_result(params(page), until=PPO, share=share)
        page.show_partial(partial)
        assert rollout.sample == partial.runs[0].stages[PPO].samples[-1]
        followed.append(rollout.sample.step)
    assert followed[0] < followed[1]
    rollout.player.first()
    page.show_partial(training_result(params(page), until=PPO, share=0.9))
    assert rollout.sample is not None
    assert rollout.sample.step == 1


def test_that_arrows_step_through_the_tokens(page: TrainingPage) -> None:
    present(page)
    page.samples.show_picture(ROLLOUT)
    flow = page.samples.rollout.flow
    flow.canvas.setFocus()
    reached = []
    for key in (Qt.Key.Key_Home, Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_End, Qt.Key.Key_Right):
        QTest.keyClick(flow.canvas, key)
        reached.append(flow.chosen)
    assert reached == [0, 1, 2, 1, 12, 12]
    page.step(-1)
    assert flow.chosen == 11
    assert "log p, policy" in flow.tip.text()


@pytest.mark.parametrize("stage", [PPO, GRPO])
def test_that_every_colouring_shows_every_token(page: TrainingPage, stage: str) -> None:
    result = present(page)
    click(page, stage)
    page.samples.show_picture(ROLLOUT)
    rollout = page.samples.rollout
    for index in range(len(COLOURINGS)):
        rollout.colouring.choose(index)
        assert len(rollout.flow.tokens) == len(result.stages[stage].samples[-1].view.tokens)
    assert all(token.tip.count("\n") == 7 for token in rollout.flow.tokens)
    clipped = result.stages[stage].samples[-1].view.clipped
    assert tuple(token.marked for token in rollout.flow.tokens) == clipped


def test_that_a_click_on_a_token_shows_its_numbers(page: TrainingPage) -> None:
    result = present(page)
    page.samples.show_picture(ROLLOUT)
    rollout = page.samples.rollout
    place = rollout.flow.canvas.boxes()[5].center().toPoint()
    QTest.mouseClick(rollout.flow.canvas, Qt.MouseButton.LeftButton, pos=place)
    view = result.stages[PPO].samples[-1].view
    shown = {number.label: number.value for number in rollout.numbers.numbers}
    assert shown["KL"] == f"{view.kl[5]:.3g}".replace("e-0", "e-") or float(shown["KL"]) == pytest.approx(
        view.kl[5], rel=0.01
    )


# Files.


def test_that_a_log_of_the_user_is_shown_with_its_remarks(page: TrainingPage, tmp_path: Path) -> None:
    change(page, log=stuck_log(tmp_path))
    assert page.stage_shown == OWN_LOG
    assert page.routes.nodes[OWN_LOG].state == "done"
    assert "ln 2" in page.curves.remarks.toPlainText()
    assert [mark.label for mark in page.curves.charts[0].marks] == ["stuck at ln 2"]
    assert page.cards["curves"].badge.provenance is None
    page.curves.show_view(ANY)
    assert page.curves.metric_box.currentText() == "x/own"
    click(page, SFT)
    change(page, seed=3)
    assert page.stage_shown == SFT  # the same log does not come to the front again


def test_that_a_dropped_file_is_opened(page: TrainingPage, tmp_path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(stuck_log(tmp_path))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    page.routes.dropEvent(QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, buttons, keys))
    assert params(page).log.endswith("trainer_state.json")
    assert page.curves.source is not None
    assert page.curves.source.curves is not None


@pytest.mark.parametrize(
    "text", ["", "no log", "[]", '{"log_history": 3}', "\x00\xff", '{"a": 1e999}', "[" * 5000, '{"step": NaN}']
)
def test_that_a_hostile_log_becomes_one_sentence(page: TrainingPage, tmp_path: Path, text: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text, encoding="latin-1")
    page.routes.file_dropped.emit(str(path))
    assert page.stage_shown == OWN_LOG
    source = page.curves.source
    assert source is not None
    if source.curves is None:
        assert "log.jsonl" in page.curves.meanings.toPlainText()
        assert page.routes.nodes[OWN_LOG].state == "stopped"
    for view in range(len(VIEWS) + 1):
        page.curves.show_view(view)


def test_that_names_in_a_log_are_shown_as_they_are(page: TrainingPage, tmp_path: Path) -> None:
    rows = [{"step": step, "<b>loss</b>": step, "a\x1b[31m": 1, "n" * 3000: 2.0} for step in range(3)]
    page.routes.file_dropped.emit(write_log(tmp_path / "<i>x.json", rows))
    page.curves.show_view(ANY)
    for index in range(page.curves.metric_box.count()):
        page.curves.metric_box.setCurrentIndex(index)
        assert len(page.curves.charts[0].series) == 1
    assert "<i>x.json" in page.routes.nodes[OWN_LOG].facts[0][0]


def test_that_the_log_of_a_stage_is_saved_as_csv(page: TrainingPage, tmp_path: Path, qtbot: Any) -> None:
    result = present(page)
    click(page, DPO)
    path = tmp_path / "dpo.csv"
    page.curves.write_csv(path)
    qtbot.waitUntil(path.exists)
    assert path.read_text() == result.stages[DPO].curves.csv()
    qtbot.waitUntil(lambda: not page.curves._writer.busy)


def test_that_there_is_nothing_to_save_before_a_run(page: TrainingPage) -> None:
    assert not page.curves.save.isEnabled()
    present(page)
    assert page.curves.save.isEnabled()


# Work.


def test_that_a_partial_result_draws_only_what_is_in_view(page: TrainingPage, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[object] = []
    for kind, name in ((LineChart, "set_series"), (RowChart, "set_rows")):
        original = getattr(kind, name)

        def counted(view: Any, *given: Any, _original: Any = original, **named: Any) -> None:
            drawn.append(view)
            _original(view, *given, **named)

        monkeypatch.setattr(kind, name, counted)
    page.show_started("")
    page.show_partial(training_result(params(page), until=PPO, share=0.3))
    drawn.clear()
    page.show_partial(training_result(params(page), until=PPO, share=0.5))
    assert (
        0 < len(drawn) <= 2 * 3
    )  # two charts of curves and the frontier, once for the selection and once for the rest


def test_that_long_runs_are_drawn_with_a_bounded_number_of_points(page: TrainingPage) -> None:
    change(page, ppo_steps=5000)
    present(page)
    click(page, PPO)
    for line in page.curves.charts[0]._lines:
        assert len(line.getData()[0]) <= 2000


def test_that_a_result_without_numbers_is_drawn(page: TrainingPage) -> None:
    result = training_result(params(page))
    run = result.stages[PPO]
    curves = replace(run.curves, metrics={name: np.full(len(run.curves.steps), np.nan) for name in run.curves.metrics})
    stages = {**result.stages, PPO: replace(run, curves=curves, samples=())}
    present(page, replace(result, runs=(replace(result.runs[0], stages=stages),), frontier=(), start=None))
    click(page, PPO)
    for view in range(len(VIEWS) + 1):
        page.curves.show_view(view)
    assert page.curves.charts[0].is_empty


# Languages.


def test_that_the_page_follows_the_language(page: TrainingPage) -> None:
    present(page)
    try:
        translation.use("zh")
        assert page.routes.nodes[REWARD].title == "奖励模型"
        assert "奖励模型" in page.samples.answers.toPlainText() or "预训练" in page.samples.answers.toPlainText()
        page.compare.show_picture(MODELS)
        assert page.compare.models.rows[0].name == "预训练"
    finally:
        translation.use("en")
    assert page.routes.nodes[REWARD].title == "Reward model"
