"""A log that the user opens becomes curves and remarks, or one sentence says why not."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contracts.errors import InvalidParams
from core.topics.training import own_log
from core.topics.training.own_log import OwnLog, open_log
from core.topics.training.params import TrainingParams
from core.topics.training.plan import plan
from core.topics.training.remarks import serious_ones

STEPS = range(1, 21)


def jsonl(tmp_path: Path, rows: list[Mapping[str, Any]] | list[str]) -> str:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return str(path)


def planted(tmp_path: Path, **metrics: Callable[[int], float]) -> OwnLog:
    """A log with these metrics at twenty steps; '__' in a name stands for '/'."""
    return open_log(
        jsonl(
            tmp_path,
            [{"step": step, **{name.replace("__", "/"): of(step) for name, of in metrics.items()}} for step in STEPS],
        )
    )


def ids(log: OwnLog) -> list[str]:
    return [remark.id for remark in log.remarks]


def test_that_a_trainer_state_of_trl_becomes_curves(tmp_path: Path) -> None:
    path = tmp_path / "trainer_state.json"
    history = [
        {"epoch": 0.1, "loss": 0.69, "rewards/margins": 0.0, "step": 10},
        {"epoch": 0.2, "loss": 0.5, "rewards/margins": 0.4, "step": 20},
        {"epoch": 0.2, "eval_loss": 0.6, "step": 20},
    ]
    path.write_text(json.dumps({"best_metric": None, "global_step": 20, "log_history": history, "max_steps": 20}))
    log = open_log(str(path))
    assert log.curves.steps.tolist() == [10, 20]
    assert log.curves.metrics["loss"].tolist() == [0.69, 0.5]
    assert math.isnan(log.curves.metrics["eval_loss"][0])
    assert log.curves.points("eval_loss")[1].tolist() == [0.6]
    assert log.remarks == ()


def test_that_lines_that_are_no_json_are_counted_and_left_out(tmp_path: Path) -> None:
    log = open_log(
        jsonl(tmp_path, ['{"step": 1, "loss": 2.0}', "Traceback:", '{"step": 2, "loss": 1.', '{"step": 3, "loss": 1}'])
    )
    assert log.curves.steps.tolist() == [1, 3]
    assert log.broken_lines == 2


def test_that_lines_without_steps_are_counted(tmp_path: Path) -> None:
    log = open_log(jsonl(tmp_path, [{"train/loss": 2.0}, {"train/loss": 1.0}]))
    assert log.without_steps
    assert log.curves.steps.tolist() == [1, 2]
    assert list(log.curves.metrics) == ["loss"]


def test_that_texts_and_switches_are_no_metrics(tmp_path: Path) -> None:
    log = open_log(jsonl(tmp_path, [{"step": 1, "loss": 2.0, "model": "x", "fp16": True, "config": {"a": 1}}]))
    assert list(log.curves.metrics) == ["loss"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n\n", b"# Readme\nThis is no log.\n", b'"text"', b"[1, 2, 3]", b"{}", b'{"step": 1}',
     b"\xff\xfe\x00\x81", b"[" * 100_000, b'{"log_history": []}', b'{"log_history": {"loss": 1}, "name": "x"}'],
)  # fmt: skip
def test_that_a_file_that_is_no_log_is_refused_with_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.json"
    path.write_bytes(content)
    with pytest.raises(InvalidParams, match=r"notes\.json is no log of a training") as refused:
        open_log(str(path))
    assert refused.value.field == "log"


def test_that_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(InvalidParams, match="it is not a regular file"):
        open_log(str(path))


def test_that_a_huge_log_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = jsonl(tmp_path, [{"step": step, "loss": 1.0} for step in range(100)])
    monkeypatch.setattr(own_log, "MAX_ROWS", 99)
    with pytest.raises(InvalidParams, match="100 entries, and at most 99"):
        open_log(path)
    monkeypatch.setattr(own_log, "MAX_BYTES", 1000)
    with pytest.raises(InvalidParams, match="it is larger than"):
        open_log(path)


KEYS = st.sampled_from(["step", "loss", "log_history", "kl"])
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner),
    max_leaves=12,
)


@given(st.binary(max_size=400) | TREES.map(lambda tree: json.dumps(tree).encode()))
def test_that_any_file_is_a_log_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("log") / "any.json"
    path.write_bytes(content)
    try:
        log = open_log(str(path))
    except InvalidParams:
        return
    assert log.curves.metrics
    assert all(len(column) == len(log.curves.steps) for column in log.curves.metrics.values())


def test_that_the_plan_shows_a_log_or_says_why_not(tmp_path: Path) -> None:
    path = jsonl(tmp_path, [{"step": 1, "loss": 2.0}])
    shown = plan(TrainingParams(log=path))
    assert shown.own_log is not None
    assert not shown.problem
    missing = plan(TrainingParams(log=str(tmp_path / "missing.json")))
    assert missing.own_log is None
    assert "it does not exist" in str(missing.log_problem)


def test_that_a_log_needs_no_other_run(tmp_path: Path) -> None:
    assert TrainingParams(log=jsonl(tmp_path, [{"loss": 1.0}])).needs_same_run_as(TrainingParams())


@pytest.mark.parametrize("metric", ["objective__kl", "eval__kl", "kl"])
def test_that_a_kl_that_runs_away_is_remarked_and_one_that_settles_is_not(tmp_path: Path, metric: str) -> None:
    limit = 0.5 if metric == "kl" else 20.0
    assert ids(planted(tmp_path, **{metric: lambda step: limit * step / 10})) == ["kl-runaway"]
    assert ids(planted(tmp_path, **{metric: lambda step: 2 * limit})) == []
    assert ids(planted(tmp_path, **{metric: lambda step: 0.45 * limit * step / 10})) == []
    (remark,) = planted(tmp_path, **{metric: lambda step: limit * step / 10}).remarks
    assert remark.step == 11
    assert remark.metrics == (metric.replace("__", "/"),)


def test_that_a_reward_without_deviation_is_remarked(tmp_path: Path) -> None:
    assert ids(planted(tmp_path, frac_reward_zero_std=lambda step: step / 20)) == ["zero-deviation"]
    assert ids(planted(tmp_path, frac_reward_zero_std=lambda step: step / 50)) == []
    assert ids(planted(tmp_path, reward_std=lambda step: max(0.0, 1 - step / 10))) == ["zero-deviation"]
    assert ids(planted(tmp_path, reward_std=lambda step: 1 / step)) == []


@pytest.mark.parametrize("metric", ["policy__entropy_avg", "entropy", "objective__entropy"])
def test_that_a_collapse_of_the_entropy_is_remarked(tmp_path: Path, metric: str) -> None:
    assert ids(planted(tmp_path, **{metric: lambda step: 2.0 * 0.8**step})) == ["entropy-collapse"]
    assert ids(planted(tmp_path, **{metric: lambda step: 2.0 - step / 20})) == []


def test_that_a_loss_that_stays_at_ln_2_is_remarked_in_preference_training_only(tmp_path: Path) -> None:
    stuck = {"loss": lambda step: math.log(2) + 0.005 * math.sin(step)}
    margins = {"rewards__margins": lambda step: 0.001}
    assert ids(planted(tmp_path, **stuck, **margins)) == ["ln-2"]
    assert ids(planted(tmp_path, **stuck)) == []
    assert ids(planted(tmp_path, loss=lambda step: math.log(2) * 0.99**step, **margins)) == []


@pytest.mark.parametrize("metric", ["policy__clipfrac_avg", "clip_ratio__region_mean"])
def test_that_a_clip_fraction_at_0_is_remarked(tmp_path: Path, metric: str) -> None:
    assert ids(planted(tmp_path, **{metric: lambda step: 0.0})) == ["never-clipped"]
    assert ids(planted(tmp_path, **{metric: lambda step: 0.01 * (step == 3)})) == []


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_that_the_first_value_that_is_no_number_is_named(tmp_path: Path, value: float) -> None:
    (remark,) = planted(tmp_path, loss=lambda step: value if step >= 7 else 1.0).remarks
    assert (remark.id, remark.step) == ("not-finite", 7)
    assert "loss is NaN or infinite at step 7" in str(remark.text)


def test_that_a_score_that_rises_while_the_true_reward_falls_is_called_hacking(tmp_path: Path) -> None:
    rising = {"eval__scores": lambda step: step / 10}
    (remark,) = planted(tmp_path, **rising, eval__true_reward=lambda step: 1 - abs(step - 5) / 10).remarks
    assert (remark.id, remark.step) == ("reward-hacking", 5)
    assert ids(planted(tmp_path, **rising, eval__true_reward=lambda step: step / 10)) == []
    falling = {"eval__scores": lambda step: -step / 10}
    assert ids(planted(tmp_path, **falling, eval__true_reward=lambda step: -step / 10)) == []


def test_that_reward_hacking_is_remarked_first_and_a_kl_of_sampled_tokens_is_called_sampled(tmp_path: Path) -> None:
    metrics = {
        "objective__kl": lambda step: 2.0 * step,
        "eval__scores": lambda step: step / 10,
        "eval__true_reward": lambda step: -step / 10,
        "policy__clipfrac_avg": lambda step: 0.0,
    }
    log = planted(tmp_path, **metrics)
    assert ids(log) == ["reward-hacking", "kl-runaway", "never-clipped"]
    assert [remark.id for remark in serious_ones(log.remarks)] == ["reward-hacking", "kl-runaway"]
    assert "objective/kl (sampled)" in str(log.remarks[1].text)
    (exact,) = planted(tmp_path, eval__kl=lambda step: 2.0 * step).remarks
    assert "sampled" not in str(exact.text)


def test_that_a_clip_fraction_of_0_names_the_target_kl_if_that_stopped_the_steps(tmp_path: Path) -> None:
    never = {"policy__clipfrac_avg": lambda step: 0.0}
    (stopped,) = planted(tmp_path, **never, policy__stopped_early=lambda step: 1.0).remarks
    assert "target KL stopped 20 of 20 steps" in str(stopped.text)
    (gentle,) = planted(tmp_path, **never).remarks
    assert "learning rate is very low" in str(gentle.text)


def test_that_few_values_are_not_remarked(tmp_path: Path) -> None:
    log = open_log(jsonl(tmp_path, [{"step": step, "kl": 10.0 * step, "reward_std": 0.0} for step in range(1, 6)]))
    assert log.remarks == ()
