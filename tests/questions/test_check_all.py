"""'Check all' makes as few runs as possible, and the short ones first."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.contracts import registry
from core.durations import RecordedRun, RecordedRuns, recorded_runs
from core.questions.check_all import plan_runs, total_s
from core.questions.reading import read_questions
from core.questions.runs_here import RunsHere
from tests.questions.asked import flash_result, history_of, question

NOTHING = RecordedRuns()
RECORDED = RecordedRuns(
    machine="a machine",
    runs=(
        RecordedRun(page="flash-attention", seconds=4.0),
        RecordedRun(page="flash-attention", set={"seq_len": 4096}, seconds=40.0),
        RecordedRun(page="masks", seconds=1.0),
        RecordedRun(page="no-such-page", seconds=1.0),
    ),
)


def ids(runs: object) -> list[tuple[str, ...]]:
    return [run.question_ids for run in runs]  # type: ignore[attr-defined]


def test_that_questions_with_the_same_parameters_share_a_run(tmp_path: Path) -> None:
    asked = [question("a"), question("b", set={"seq_len": 64}), question("c")]
    runs = plan_runs(asked, RunsHere(history_of(tmp_path)), recorded=NOTHING)
    assert ids(runs) == [("a", "c"), ("b",)]
    assert [run.params.model_dump()["seq_len"] for run in runs] == [1024, 64]


def test_that_parameters_that_change_only_what_is_shown_share_a_run(tmp_path: Path) -> None:
    asked = [question(page="fine-tuning", id=name, set={"method": name}, trains=True) for name in ("lora", "qlora")]
    [run] = plan_runs(asked, RunsHere(history_of(tmp_path)), recorded=NOTHING)
    assert run.question_ids == ("lora", "qlora")
    assert run.trains


def test_that_what_has_run_here_is_not_run_again(tmp_path: Path) -> None:
    asked = [question("a"), question("b", set={"seq_len": 64})]
    runs = plan_runs(asked, RunsHere(history_of(tmp_path, flash_result())), recorded=NOTHING)
    assert ids(runs) == [("b",)]


def test_that_training_can_be_left_out(tmp_path: Path) -> None:
    asked = [question("a"), question("b", page="lora", trains=True)]
    here = RunsHere(history_of(tmp_path))
    assert ids(plan_runs(asked, here, with_training=False, recorded=NOTHING)) == [("a",)]
    assert ids(plan_runs(asked, here, recorded=NOTHING)) == [("a",), ("b",)]


def test_that_short_runs_come_first_and_unknown_ones_last(tmp_path: Path) -> None:
    asked = [
        question("unknown", page="decoder"),
        question("long", set={"seq_len": 4096}),
        question("short", page="masks"),
        question("middle"),
    ]
    runs = plan_runs(asked, RunsHere(history_of(tmp_path)), recorded=RECORDED)
    assert ids(runs) == [("short",), ("middle",), ("long",), ("unknown",)]
    assert [run.predicted_s for run in runs] == [1.0, 4.0, 40.0, None]
    assert total_s(runs) is None
    assert total_s(runs[:3]) == 45.0


def test_that_predictions_are_scaled_to_this_machine(tmp_path: Path) -> None:
    """The recorded run of 4 s took 12 s here."""
    here = RunsHere(history_of(tmp_path, flash_result(), wall_s=12.0))
    [short, long] = plan_runs(
        [question("long", set={"seq_len": 4096}), question(page="masks")], here, recorded=RECORDED
    )
    assert (short.predicted_s, long.predicted_s) == (3.0, 120.0)


def test_that_runs_of_the_page_predict_what_nobody_recorded(tmp_path: Path) -> None:
    here = RunsHere(history_of(tmp_path, flash_result(), flash_result(seq_len=64), wall_s=7.0))
    [run] = plan_runs([question(set={"seq_len": 128})], here, recorded=NOTHING)
    assert run.predicted_s == 7.0


def test_that_a_damaged_recording_predicts_nothing(tmp_path: Path) -> None:
    for contents in ("runs = [", "[[runs]]\npage = 'masks'\nseconds = -1", "\x00"):
        path = tmp_path / f"{len(contents)}.toml"
        path.write_text(contents)
        assert recorded_runs(path) == NOTHING
    assert recorded_runs(tmp_path / "missing.toml") == NOTHING


def test_that_the_durations_that_come_with_the_program_are_of_a_named_machine_and_of_runs_that_exist() -> None:
    recorded = recorded_runs()
    assert recorded.machine
    assert recorded.date
    assert recorded.runs
    for run in recorded.runs:
        assert registry.topic(run.page).params.parse(run.set)


@pytest.mark.parametrize("with_training", [True, False])
def test_that_a_fresh_machine_runs_every_question_once(tmp_path: Path, with_training: bool) -> None:
    book = read_questions()
    runs = plan_runs(book, RunsHere(history_of(tmp_path)), with_training=with_training)
    planned = [question_id for run in runs for question_id in run.question_ids]
    assert sorted(planned) == sorted(each.id for each in book if with_training or not each.trains)
    assert len(runs) < len(planned) / 2
    assert all(not run.trains for run in runs) is not with_training
