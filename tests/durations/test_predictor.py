"""What is known of other runs predicts how long a run takes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contracts import registry
from core.durations import Prediction, Predictor, RecordedRun, RecordedRuns, Timing

MASKS, KERNELS = registry.topic("masks"), registry.topic("kernel-lab")
FLASH = replace(registry.topic("flash-attention"), live_experiment="", cost=lambda params: params.seq_len)
NOTHING = RecordedRuns()


def timing(
    seconds: float, *, is_warm: bool = True, is_live: bool = False, on_gpu: bool = False, **params: int
) -> Timing:
    return Timing(FLASH.params.parse(params), seconds, on_gpu, is_warm, is_live)


def predicted(*timings: Timing, recorded: RecordedRuns = NOTHING, **params: int) -> float | None:
    """Seconds of a close prediction; `timings` are the newest first."""
    predictor = Predictor(recorded)
    predictor.learn("flash-attention", timings)
    prediction = predictor.predict(FLASH, FLASH.params.parse(params))
    return prediction.seconds if prediction is not None and prediction.is_close else None


def test_that_the_newest_run_with_the_same_parameters_counts() -> None:
    assert predicted(timing(3.0), timing(0.5), timing(0.1, seq_len=64)) == 3.0


def test_that_a_run_that_was_just_made_is_the_newest() -> None:
    predictor = Predictor(NOTHING)
    predictor.learn("flash-attention", [timing(0.5)])
    predictor.add("flash-attention", timing(1.5))
    assert predictor.predict(FLASH, FLASH.params()) == Prediction(1.5, is_close=True)


def test_that_a_longer_run_is_predicted_to_take_longer() -> None:
    assert predicted(timing(0.5, seq_len=1024), seq_len=4096) == pytest.approx(2.0)


def test_that_a_fixed_part_does_not_grow_with_the_size() -> None:
    """0.4 s for everything, and 0.1 s per 1,024 tokens."""
    assert predicted(timing(0.5), timing(0.8, seq_len=4096), seq_len=16384) == pytest.approx(2.0)
    assert predicted(timing(0.5), timing(0.8, seq_len=4096), seq_len=64) == pytest.approx(0.406, abs=1e-3)


def test_that_the_nearest_size_counts_most() -> None:
    exact = predicted(timing(0.1, seq_len=64), timing(9.0, seq_len=32768), seq_len=16384)
    assert exact == pytest.approx(4.5, rel=0.05)


def test_that_a_first_run_counts_only_where_nothing_better_is_known() -> None:
    first = timing(5.0, is_warm=False)
    assert predicted(first) == 5.0
    assert predicted(first, timing(0.5)) == 0.5
    assert (
        predicted(first, recorded=RecordedRuns(runs=(RecordedRun(page="flash-attention", seconds=2.0),))) == 2.0 * 2.5
    )


def test_that_recorded_durations_are_scaled_to_this_machine() -> None:
    recorded = RecordedRuns(
        runs=(
            RecordedRun(page="flash-attention", seconds=1.0),
            RecordedRun(page="flash-attention", set={"seq_len": 256}, seconds=0.2),
        )
    )
    assert predicted(recorded=recorded, seq_len=256) == 0.2
    assert predicted(timing(3.0, is_warm=False), recorded=recorded, seq_len=256) == pytest.approx(0.6)


def test_that_a_first_run_does_not_make_this_machine_seem_slow() -> None:
    """The recorded durations of live runs are of workers that were warm."""
    recorded = RecordedRuns(runs=(RecordedRun(page="flash-attention", seconds=0.5, is_live=True),))
    assert predicted(timing(5.0, is_warm=False, is_live=True), recorded=recorded, seq_len=1024) == 0.5
    assert predicted(timing(1.0, is_live=True, seq_len=64), recorded=recorded) == 0.5


def test_that_runs_on_a_gpu_predict_nothing_of_the_cpu() -> None:
    assert predicted(timing(0.01, on_gpu=True)) is None


def test_that_a_topic_without_a_cost_knows_only_its_own_runs() -> None:
    predictor = Predictor(NOTHING)
    predictor.learn("kernel-lab", [Timing(KERNELS.params(), 0.2)])
    assert predictor.predict(KERNELS, KERNELS.params()) == Prediction(0.2, is_close=True)
    other = KERNELS.params(file="resources/examples/softmax.py")
    assert predictor.predict(KERNELS, other) == Prediction(0.2, is_close=False)


def test_that_recorded_runs_say_nothing_of_other_parameters_of_their_page() -> None:
    recorded = RecordedRuns(runs=(RecordedRun(page="kernel-lab", seconds=0.1),))
    assert Predictor(recorded).predict(KERNELS, KERNELS.params(file="resources/examples/softmax.py")) is None


def test_that_a_live_experiment_has_predictions_of_its_own() -> None:
    topic = replace(FLASH, live_experiment="nowhere:quick")
    predictor = Predictor(NOTHING)
    predictor.learn("flash-attention", [timing(4.0), timing(0.6, is_live=True)])
    whole, live = (predictor.predict(topic, topic.params(), is_live=is_live) for is_live in (False, True))
    assert (whole, live) == (Prediction(4.0, is_close=True), Prediction(0.6, is_close=True))


@pytest.mark.parametrize(("first_s", "is_live_first"), [(3.0, True), (15.0, False)])
def test_that_a_run_whose_worker_trained_a_model_first_is_not_live_in_a_new_worker(
    first_s: float, is_live_first: bool
) -> None:
    predictor = Predictor(NOTHING)
    predictor.learn("flash-attention", [timing(0.5), timing(first_s, is_warm=False)])
    prediction = predictor.predict(FLASH, FLASH.params())
    assert prediction is not None
    assert prediction.is_live()
    assert prediction.is_live(worker_is_warm=False) is is_live_first


def test_that_nothing_is_predicted_without_evidence() -> None:
    assert Predictor(NOTHING).predict(FLASH, FLASH.params()) is None


SIZES = st.integers(min_value=1, max_value=65536)
TIMINGS = st.lists(
    st.builds(
        lambda seq_len, seconds, is_warm: timing(seconds, is_warm=is_warm, seq_len=seq_len),
        SIZES,
        st.floats(min_value=1e-3, max_value=1e3),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@given(TIMINGS, SIZES)
def test_that_a_prediction_is_a_duration(timings: list[Timing], seq_len: int) -> None:
    seconds = predicted(*timings, seq_len=seq_len)
    assert seconds is not None
    assert 0 < seconds < 1e9


def test_that_a_prediction_for_one_page_imports_no_other_topic() -> None:
    script = (
        "import sys; from core.contracts import registry; from core.durations import Predictor; "
        "topic = registry.topic('masks'); assert Predictor().predict(topic, topic.params()); "
        "print(sorted(name for name in sys.modules if name.startswith('core.topics.') and name.count('.') == 2))"
    )
    root = Path(__file__).resolve().parents[2]
    printed = subprocess.check_output([sys.executable, "-c", script], cwd=root, text=True, timeout=60)
    assert printed.strip() == "['core.topics.masks']"
