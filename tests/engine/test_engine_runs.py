"""Runs that end by themselves."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.events import TERMINAL, Cancelled, Failed, Finished, Partial, Progress, Started
from core.contracts.text import tr
from core.engine import Engine, Run
from tests.engine.helpers import Submit, events_of, result_of
from tests.engine.trouble import TroubleParams


def test_that_a_run_starts_then_finishes_with_its_result(submit: Submit) -> None:
    run = submit("finish", count=5)
    first, *_, last = events_of(run)
    assert isinstance(first, Started)
    assert first.device == "cpu"
    assert isinstance(last, Finished)
    assert run.result(0) is last.result
    assert run.terminal is last
    np.testing.assert_array_equal(last.result.numbers["numbers"], np.arange(5, dtype=np.float32))


def test_that_a_run_says_how_long_it_took_in_a_worker_that_had_run_the_topic(submit: Submit) -> None:
    run = submit("finish", count=5)
    result_of(run)
    warm = submit("finish", count=5)
    result_of(warm)
    assert isinstance(warm.terminal, Finished)
    assert warm.terminal.is_warm
    assert warm.terminal.seconds is not None
    assert 0 < warm.terminal.seconds < 10


def test_that_a_live_run_is_the_live_experiment(engine: Engine) -> None:
    run = engine.submit("trouble", {"act": "finish", "count": 6}, "cpu", is_live=True)
    assert result_of(run).numbers["numbers"].size == 3


def test_that_params_may_be_a_model_or_the_strings_of_the_command_line(engine: Engine) -> None:
    from_model = engine.submit("trouble", TroubleParams(count=4), "cpu")
    from_strings = engine.submit("trouble", {"act": "finish", "count": "4"}, "cpu")
    assert result_of(from_model).params == result_of(from_strings).params
    assert from_strings.params.model_dump_json() == '{"act":"finish","count":4,"folder":""}'


def test_that_runs_go_one_after_another_in_the_order_of_submission(submit: Submit) -> None:
    runs = [submit("finish", count=count) for count in range(1, 5)]
    assert [result_of(run).params.count for run in runs] == [1, 2, 3, 4]


def test_that_the_last_progress_and_the_last_partial_arrive_before_the_end(submit: Submit) -> None:
    assert events_of(submit("finish", count=6))[-2] == Progress(6, 6, tr("counting"))
    *_, partial, _ = events_of(submit("partials", count=6))
    assert isinstance(partial, Partial)
    assert partial.result.done == 5
    np.testing.assert_array_equal(partial.result.numbers["array"], np.full(4, 5))


def test_that_a_flood_of_progress_is_thinned_to_what_a_window_can_draw(submit: Submit) -> None:
    events = events_of(submit("flood", count=100_000))
    assert isinstance(events[-1], Finished)
    assert {type(event) for event in events} == {Started, Progress, Partial, Finished}
    # Two events per 1/30 s, and the run takes well under 30 s.
    assert len(events) < 2000


def test_that_a_run_nobody_reads_holds_at_most_four_events(submit: Submit) -> None:
    run = submit("flood", count=20_000)
    result_of(run)
    kinds = [type(event) for event in run.drain()]
    assert len(kinds) <= 4
    assert kinds[0] is Started
    assert kinds[-1] is Finished
    assert run.drain() == []


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        ("raise", "The run of trouble stopped on an error: ZeroDivisionError: it cannot be divided."),
        ("allocate", "The run of trouble ran out of memory: try smaller sizes."),
        ("out-of-memory", "The run of trouble ran out of memory: try smaller sizes."),
        ("leave", "The run of trouble stopped on an error: SystemExit: 5."),
    ],
)
def test_that_an_error_of_the_experiment_is_a_sentence_with_the_traceback_beside_it(
    submit: Submit, act: str, sentence: str
) -> None:
    failed = events_of(submit(act))[-1]
    assert isinstance(failed, Failed)
    assert str(failed.sentence) == sentence
    assert "experiment.py" in failed.detail
    assert not failed.invalid_input


def test_that_an_error_worded_for_users_arrives_unchanged(submit: Submit) -> None:
    run = submit("refuse")
    assert events_of(run)[-1] == Failed(tr("This machine has no flux capacitor: install one."), invalid_input=True)
    with pytest.raises(TilescopeError, match="flux capacitor"):
        run.result(0)


def test_that_params_refused_by_the_experiment_blame_their_field(submit: Submit) -> None:
    run = submit("blame")
    expected = Failed(tr("count does not suit the experiment."), blames="count", invalid_input=True)
    assert events_of(run)[-1] == expected
    with pytest.raises(InvalidParams) as caught:
        run.result(0)
    assert caught.value.field == "count"


@pytest.mark.parametrize("act", ["tensor", "tensor-result", "rubbish", "rubbish-result", "objects"])
def test_that_what_a_window_cannot_read_never_leaves_the_worker(submit: Submit, act: str) -> None:
    failed = events_of(submit(act))[-1]
    assert isinstance(failed, Failed)
    assert "TypeError" in str(failed.sentence)


@pytest.mark.parametrize(
    ("topic", "params", "device", "pattern", "blames"),
    [
        ("trouble", {"count": 7}, "cpu", "count = 7 cannot be", "count"),
        ("trouble", {"count": 13}, "cpu", "does not fit into memory", "count"),
        ("trouble", {"count": -1}, "cpu", "must be a whole number|must lie between", "count"),
        ("trouble", {"cuont": 1}, "cpu", "did you mean count", None),
        ("truoble", {}, "cpu", "did you mean trouble", None),
        ("trouble", {}, "tpu", "the devices are auto, cpu, cuda", "device"),
    ],
)
def test_that_bad_input_fails_at_once_without_reaching_a_worker(
    topic: str, params: dict[str, object], device: str, pattern: str, blames: str | None
) -> None:
    never_started = Engine(topics={"trouble": "tests.engine.trouble"})
    run = never_started.submit(topic, params, device)
    [failed] = run.drain()
    assert isinstance(failed, Failed)
    assert failed.invalid_input
    assert failed.blames == blames
    with pytest.raises(TilescopeError, match=pattern):
        run.result(0)


def test_that_a_topic_that_cannot_be_imported_fails_at_once() -> None:
    [failed] = Engine(topics={"gone": "tests.engine.gone"}).submit("gone", {}).drain()
    assert isinstance(failed, Failed)
    assert str(failed.sentence).startswith("The topic gone cannot be loaded")


def test_that_asking_for_a_gpu_where_there_is_none_is_one_sentence(engine: Engine) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    failed = events_of(engine.submit("trouble", {}, "cuda"))[-1]
    assert isinstance(failed, Failed)
    assert str(failed.sentence).startswith("This worker has no CUDA GPU: choose")
    assert failed.detail == ""


def test_that_every_run_has_exactly_one_started_and_one_terminal_event(submit: Submit) -> None:
    for act in ("finish", "raise", "refuse", "tensor", "flood"):
        events = events_of(submit(act))
        assert [isinstance(event, Started) for event in events] == [True] + [False] * (len(events) - 1)
        assert [isinstance(event, TERMINAL) for event in events] == [False] * (len(events) - 1) + [True]


def test_that_waiting_too_briefly_for_a_result_is_a_timeout_and_no_harm(submit: Submit) -> None:
    run = submit("wait")
    with pytest.raises(TimeoutError):
        run.result(0.01)
    with pytest.raises(TimeoutError):
        Run("trouble", {}, "cpu").events.get(0.01)
    assert not run.done
    run.cancel()
    assert isinstance(events_of(run)[-1], Cancelled)


def test_that_an_unexpected_error_replaces_the_worker(submit: Submit, worker_pid: Callable[[], int]) -> None:
    pid = worker_pid()
    assert isinstance(events_of(submit("raise"))[-1], Failed)
    assert worker_pid() != pid
