"""The lora page: a schedule planned for other steps than are trained, and what merging leaves of updates."""

from __future__ import annotations

from typing import Any

import pytest

from core.topics.lora.merges import MERGES, Merge
from core.topics.lora.params import LoraParams
from core.topics.lora.plan import plan
from gui.pages.lora import view_data
from gui.pages.lora.key_metrics import KeyMetrics
from gui.pages.lora.merges_view import MergesView, merged_matrices
from tests.gui.pages.lora.lora_result import lora_result

PARAMS = LoraParams.parse({"steps": 60, "tinit": 10, "tfinal": 15, "delta_t": 5})


@pytest.fixture
def merges(qtbot: Any) -> MergesView:
    made = MergesView()
    qtbot.addWidget(made)
    return made


def test_that_a_schedule_for_other_steps_is_said_beside_the_numbers(qtbot: Any) -> None:
    metrics = KeyMetrics()
    qtbot.addWidget(metrics)
    metrics.draw(plan(PARAMS.changed(total_step=400)), None, 0)
    assert "never arrives" in metrics.sentence.text()
    (triplets,) = [number for number in metrics.numbers if number.short == "triplets"]
    assert triplets.tone == "bad"
    metrics.draw(plan(PARAMS), None, 0)
    assert "arrives" not in metrics.sentence.text()
    early = lora_result(PARAMS.changed(total_step=40))
    metrics.draw(plan(early.params), early, 30)
    assert "too early" in metrics.sentence.text()


def test_that_the_planned_budget_shows_where_training_ends() -> None:
    longer = plan(PARAMS.changed(total_step=400))
    assert view_data.planned_budget(longer).y.size == 400
    assert [mark.x for mark in view_data.planned_marks(longer.schedule)] == [10, 385, 60]
    assert [mark.x for mark in view_data.phase_marks(longer.schedule)] == [10]
    assert [mark.x for mark in view_data.planned_marks(plan(PARAMS).schedule)] == [10, 45]


def test_that_every_matrix_has_its_merges_and_a_swallowed_update_is_red(merges: MergesView) -> None:
    assert not merges.draw(None)
    result = lora_result(PARAMS)
    assert merges.draw(result)
    rows = merged_matrices(result)
    assert [row.name for row in rows] == [matrix.name for matrix in result.matrices]
    assert all(tuple(row.merges) == MERGES for row in rows)
    column = next(column for column in merges.table.model.columns if column.name == Merge.BF16)
    assert [column.tone(row) for row in rows[:2]] == ["bad", ""]
    assert column.write(column.value(rows[1])) == "2%"
    assert "10% of the weights stay" in column.tip(rows[1])
    assert "3 of rank 0" in merges.saved.text()
