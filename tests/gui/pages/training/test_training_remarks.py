"""What is conspicuous in the curves: told first and whole in the box, marked on the map, and in the key metrics."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtGui import QColor

from core.contracts.text import verbatim
from core.topics.training.params import TrainingParams
from core.topics.training.plan import plan
from core.topics.training.result import FrontierPoint, TrainingResult
from core.topics.training.stage_ids import DPO, GRPO, PPO, SFT, STAGES
from gui import theme as themes
from gui import translation
from gui.pages.training.comparisons import frontier_series
from gui.pages.training.key_metrics import numbers
from gui.pages.training.metric_groups import style_of
from gui.pages.training.remarks_view import LEAST_LINES, MOST_LINES, RemarksView
from gui.pages.training.route_map import RouteMap
from gui.pages.training.stage_nodes import nodes
from gui.widgets.html_view import MARGIN_PX
from gui.widgets.metric_bar import Number
from tests.gui.pages.training.training_result import training_result

PLAN = plan(TrainingParams())


def with_metrics(result: TrainingResult, stage: str, **changes: Any) -> TrainingResult:
    """The result with other values of some metrics, '__' for '/'; each is called with the steps."""
    run = result.stages[stage]
    steps = run.curves.steps
    changed = {name.replace("__", "/"): np.asarray(of(steps), dtype=np.float64) for name, of in changes.items()}
    curves = replace(run.curves, metrics={**run.curves.metrics, **changed})
    stages = {**result.stages, stage: replace(run, curves=curves)}
    return replace(result, runs=(replace(result.runs[0], stages=stages),))


def hacked(stage: str, result: TrainingResult) -> TrainingResult:
    return with_metrics(result, stage, eval__true_reward=lambda steps: 3 - steps / 10, eval__scores=lambda steps: steps)


def tile(result: TrainingResult, stage: str, label: str) -> Number:
    ((_, found),) = numbers(PLAN, result, stage)
    return next(number for number in found if number.label == label)


# Key metrics.


@pytest.mark.parametrize(("stage", "metric"), [(PPO, "policy__clipfrac_avg"), (GRPO, "clip_ratio__region_mean")])
def test_that_the_clipped_share_is_the_largest_of_the_run_with_its_step(stage: str, metric: str) -> None:
    result = with_metrics(training_result(), stage, **{metric: lambda steps: 0.021 * (steps == 12)})
    shown = tile(result, stage, "largest clipped share")
    assert shown.value == "2.10% at step 12"
    assert "clip range" in shown.detail
    assert f"{metric.replace('__', '/')} over the steps: Curves, Updates." in shown.detail
    assert "Token by token" in shown.detail
    assert "At the last step: 0%" in shown.detail


def test_that_a_clipped_share_of_0_says_why() -> None:
    never = with_metrics(training_result(), PPO, policy__clipfrac_avg=lambda steps: 0.0 * steps)
    shown = tile(never, PPO, "largest clipped share")
    assert shown.value == "0%"
    assert "learning rate is very low" in shown.detail
    stopped = with_metrics(never, PPO, policy__stopped_early=lambda steps: 1.0 + 0 * steps)
    assert "the target KL stopped" in tile(stopped, PPO, "largest clipped share").detail


def test_that_the_kl_says_that_it_is_exact_and_what_a_nat_is() -> None:
    shown = tile(training_result(), PPO, "KL to SFT, exact")
    assert "1 nat is a factor of e" in shown.detail
    assert "whole vocabulary" in shown.detail


# The map.


def test_that_a_stage_with_a_serious_remark_is_amber_and_the_others_are_green(qtbot: Any) -> None:
    result = hacked(GRPO, hacked(PPO, training_result()))
    routes = RouteMap()
    qtbot.addWidget(routes)
    routes.resize(640, 330)
    routes.set_nodes(nodes(PLAN, result))
    routes.show()
    found = {node.key: node.troubled for node in nodes(PLAN, result)}
    assert [stage for stage in STAGES if found[stage]] == [PPO, GRPO]
    assert "reward hacking from step" in routes.nodes[PPO].tip
    image, theme = routes.canvas.grab().toImage(), themes.current()
    for stage, ink in ((PPO, theme.warn), (GRPO, theme.warn), (DPO, theme.good), (SFT, theme.good)):
        box = routes.canvas.places.boxes[stage]
        column = [image.pixelColor(round(box.center().x()), round(box.bottom()) - up) for up in range(2, 7)]
        assert QColor(ink) in column


def test_that_a_stage_that_stopped_stays_red() -> None:
    result = hacked(PPO, training_result(until=PPO, share=0.9, error=verbatim("NaN")))
    by_key = {node.key: node for node in nodes(PLAN, result)}
    assert by_key[PPO].state == "stopped"
    assert "NaN" in by_key[PPO].tip


# The box of remarks.


@pytest.fixture
def box(qtbot: Any) -> RemarksView:
    made = RemarksView(verbatim("remarks"))
    qtbot.addWidget(made)
    made.resize(400, 100)
    made.show()
    return made


def write(box: RemarksView, *paragraphs: str) -> None:
    box.show_html(paragraphs, lambda theme: "".join(f'<p style="margin: 0">{each}</p>' for each in paragraphs))


def lines(count: int) -> str:
    return "<br>".join(["about a line 中文"] * count)


@pytest.mark.parametrize(
    ("paragraphs", "shown"),
    [((1,), LEAST_LINES), ((2, 1, 9), 3), ((2, 2), 4), ((2, 2, 5), 4), ((3, 3), MOST_LINES), ((9,), MOST_LINES)],
)
def test_that_the_box_is_as_high_as_two_remarks_and_has_whole_lines(
    box: RemarksView, paragraphs: tuple[int, ...], shown: int
) -> None:
    write(box, *map(lines, paragraphs))
    assert box.height() == shown * box.line_px + 2 * MARGIN_PX
    assert box.viewport().height() == shown * box.line_px
    assert box.verticalScrollBar().maximum() == max(0, sum(paragraphs) - shown) * box.line_px


def test_that_the_box_grows_where_lines_are_wrapped(box: RemarksView) -> None:
    box.resize(700, box.height())
    write(box, "word " * 20, "word " * 20)
    wide = box.shown_lines
    box.resize(200, box.height())
    assert box.shown_lines > wide


def test_that_the_box_scrolls_by_whole_lines(box: RemarksView) -> None:
    write(box, lines(9))
    bar = box.verticalScrollBar()
    reached = []
    for value in (3, box.line_px + 1, box.line_px - 2, 10_000, bar.maximum() - 1):
        bar.setValue(value)
        reached.append(bar.value() / box.line_px)
    assert reached == [1, 2, 0, 9 - MOST_LINES, 8 - MOST_LINES]


def test_that_the_box_follows_the_language(box: RemarksView) -> None:
    write(box, lines(2), lines(1))
    try:
        translation.use("zh")
        assert box.shown_lines == 3
    finally:
        translation.use("en")


# Curves and frontier.


def test_that_the_two_rewards_to_compare_are_drawn_strongly_and_the_others_faintly() -> None:
    assert {style_of(name) for name in ("eval/scores", "eval/true_reward")} == {"rings"}
    behind = ("objective/scores", "objective/rlhf_reward", "true_reward", "reward")
    assert {style_of(name) for name in behind} == {"faint"}


def test_that_the_frontier_goes_in_order_of_steps_from_one_common_ring() -> None:
    kls = (0.1, 3.0, 2.0)
    points = tuple(FrontierPoint(PPO, 10 * place, 100, kl, 1 + kl) for place, kl in enumerate(kls, 1))
    other = FrontierPoint(DPO, 60, 100, 1.0, 2.5)
    result = replace(training_result(), start=FrontierPoint(SFT, 0, 0, 0.0, 0.9), frontier=(*points, other))
    ppo, dpo, start = frontier_series(result)
    assert ppo.x.tolist() == [0.0, *kls]
    assert [(one.x[0], one.y[0]) for one in (ppo, dpo, start)] == [(0.0, 0.9)] * 3
    assert (start.name, start.x.size, start.style, start.key) == ("SFT", 1, "marks", "")
