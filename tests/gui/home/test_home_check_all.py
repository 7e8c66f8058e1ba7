"""'Check all': what is missing is run in the background, and the user comes first."""

from __future__ import annotations

from typing import Any

import pytest

from core.contracts.events import Cancelled, Failed, Finished, Progress
from core.contracts.text import tr
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.masks.params import MasksParams
from gui.home.check_all import Phase
from tests.gui.home.home_doubles import Opened
from tests.questions.asked import flash_result

OTHER = FlashAttentionParams(seq_len=64)


@pytest.fixture
def opened(opened: Opened) -> Opened:
    """The history is looked at again as soon as the user's run is over."""
    assert opened.home.checking is not None
    opened.home.checking._quiet.setInterval(0)
    return opened


def flash_runs(opened: Opened) -> None:
    """Begin to check the questions about FlashAttention: three runs."""
    checking = opened.home.checking
    assert checking is not None
    flash = [each for each in opened.home.book if each.page == "flash-attention"]
    checking.start(flash, with_training=False)


def finish(opened: Opened) -> None:
    """The newest run ends with a result."""
    params = opened.runs[-1].params.model_dump()
    opened.post(Finished(flash_result(**params)))


def test_that_what_is_missing_is_run_one_after_another_and_verdicts_appear(opened: Opened) -> None:
    home, ended = opened.home, []
    home.checking.ended.connect(ended.append)
    flash_runs(opened)
    for number in (1, 2, 3):
        assert len(opened.runs) == number
        assert home.checking.round.total == 3
        finish(opened)
    assert ended == [False]
    assert not home.checking.active
    assert len({run.params for run in opened.runs}) == 3
    assert all(home.standing_of(each).verdict is not None for each in home.book if each.page == "flash-attention")


def test_that_nothing_is_run_twice_even_if_the_history_has_no_run_of_this_machine(opened: Opened) -> None:
    flash_runs(opened)
    for _ in range(3):
        params = opened.runs[-1].params.model_dump()
        opened.post(Finished(flash_result(device="cpu (of a server)", **params)))
    assert not opened.home.checking.active
    assert len(opened.runs) == 3


def test_that_a_run_that_the_user_made_meanwhile_is_not_made_again(opened: Opened) -> None:
    flash_runs(opened)
    waiting = [run for run in opened.home.checking.round.waiting if run.params != opened.runs[-1].params]
    opened.keeper.keep(flash_result(**waiting[0].params.model_dump()), 1.0, 2.0)
    finish(opened)
    finish(opened)
    assert [run.params for run in opened.runs].count(waiting[0].params) == 0
    assert not opened.home.checking.active


def test_that_a_run_of_the_user_comes_first_and_the_other_begins_again(opened: Opened, qtbot: Any) -> None:
    flash_runs(opened)
    ours = opened.runs[-1]
    opened.bridge.submit("flash-attention", OTHER, "auto")
    assert ours.cancelled
    assert opened.home.checking.phase is Phase.PAUSED
    assert "Paused" in opened.home.browser.checks.text.text()
    ours.post(Cancelled())
    opened.post(Finished(flash_result(seq_len=64)))
    qtbot.waitUntil(lambda: len(opened.runs) == 3)
    assert opened.runs[-1].params == ours.params
    assert opened.home.checking.round.failures == []


def test_that_a_round_that_begins_during_a_run_of_the_user_waits_for_it(opened: Opened, qtbot: Any) -> None:
    opened.bridge.submit("flash-attention", OTHER, "auto")
    flash_runs(opened)
    assert len(opened.runs) == 1
    opened.post(Finished(flash_result(seq_len=64)))
    qtbot.waitUntil(lambda: len(opened.runs) == 2)


def test_that_failed_runs_are_listed_with_their_sentence_and_the_others_go_on(opened: Opened) -> None:
    flash_runs(opened)
    opened.post(Failed(tr("The GPU is gone.")))
    failed = opened.runs[0].params
    finish(opened)
    finish(opened)
    assert opened.home.browser.failures.sentence == "FlashAttention: The GPU is gone."
    asked = next(each for each in opened.home.book if each.page == "flash-attention" and each.params == failed)
    assert str(opened.home.standing_of(asked).label) == "failed"
    opened.home.browser.show_question(asked)
    assert "The GPU is gone." in opened.home.browser.detail.state.text()


def test_that_a_run_that_the_topic_refuses_is_a_failure_and_never_submitted(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(params: MasksParams) -> None:
        raise RuntimeError("no disk")

    topic = opened.home.book.get("flash-is-exact").topic
    monkeypatch.setitem(topic.__dict__, "check", refuse)  # a topic is frozen
    flash_runs(opened)
    assert opened.runs == []
    assert len(opened.home.checking.round.failures) == 3
    assert "no disk" in opened.home.browser.failures.sentence


def test_that_a_run_that_the_worker_keeps_ending_is_given_up(opened: Opened) -> None:
    opened.home.run_question(opened.home.book.get("flash-is-exact"))
    for _ in range(3):
        opened.post(Cancelled(tr("stopped because the engine was closed")))
    assert len(opened.runs) == 3
    assert [each.sentence for each in opened.home.checking.round.failures] != []
    assert not opened.home.checking.active


def test_that_stopping_cancels_the_run_and_keeps_what_was_run(opened: Opened) -> None:
    flash_runs(opened)
    finish(opened)
    opened.home.browser.checks.button.click()
    assert opened.runs[-1].cancelled
    assert not opened.home.checking.active
    assert opened.keeper.history.list("flash-attention", 10)
    opened.post(Cancelled())
    assert len(opened.runs) == 2


def test_that_progress_and_the_time_left_are_shown(opened: Opened) -> None:
    flash_runs(opened)
    before, unknown = opened.home.checking.left_s
    assert before > 0
    assert unknown == 0
    opened.post(Progress(1.0, 2.0, tr("tracing")))
    checks = opened.home.browser.checks
    assert "1 of 3" in checks.text.text()
    assert "left" in checks.text.text()
    assert "tracing" in checks.text.text()
    assert checks.progress.value() == round(1000 * 0.5 / 3)
    finish(opened)
    assert opened.home.checking.left_s[0] < before


def test_that_questions_that_train_are_left_out_unless_they_are_asked_for(opened: Opened) -> None:
    checks, trains = opened.home.browser.checks, {each.id for each in opened.home.book if each.trains}
    without = [question_id for run in checks._missing for question_id in run.question_ids]
    checks.training.setChecked(True)
    with_training = [question_id for run in checks._missing for question_id in run.question_ids]
    assert sorted(with_training) == sorted(each.id for each in opened.home.book)
    assert set(with_training) - set(without) == trains


def test_that_checking_goes_on_while_another_page_is_in_view(opened: Opened) -> None:
    flash_runs(opened)
    opened.home.hide()
    finish(opened)
    assert len(opened.runs) == 2
    asked = next(each for each in opened.home.book if each.params == opened.runs[0].params)
    assert opened.home.standing_of(asked).verdict is not None


def test_that_closing_during_a_round_stops_it_and_leaves_no_timer(opened: Opened) -> None:
    """The fixtures of these tests fail on what is left behind."""
    flash_runs(opened)
    opened.home.close_down()
    assert opened.runs[-1].cancelled
    assert not opened.home._clock.isActive()
    assert not opened.home.checking._quiet.isActive()
    opened.post(Cancelled())
    assert len(opened.runs) == 1


def test_that_a_question_that_is_asked_for_during_a_round_comes_next_and_the_round_goes_on(opened: Opened) -> None:
    flash_runs(opened)
    last = opened.home.checking.round.waiting[-1]
    asked = opened.home.book.get(last.question_ids[0])
    masks = next(each for each in opened.home.book if each.page == "masks" and each.id not in last.question_ids)
    opened.home.browser.show_question(asked)
    opened.home.run()
    finish(opened)
    assert opened.runs[-1].params == asked.params
    opened.home.run_question(masks)
    finish(opened)
    assert opened.runs[-1].topic_id == "masks"
    opened.post(Failed(tr("The engine is closed.")))
    assert opened.runs[-1].topic_id == "flash-attention"
    assert len(opened.runs) == 4
