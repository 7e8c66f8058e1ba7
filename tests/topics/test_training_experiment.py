"""Runs of the training experiment: live, in order, killed and continued, and with what can go wrong."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.contracts.errors import InvalidParams
from core.contracts.events import Partial, Progress
from core.topics.training.experiment import board as boards
from core.topics.training.experiment import setting as settings
from core.topics.training.result import TrainingResult
from core.topics.training.stage_ids import DPO, GRPO, POLICY_STAGES, PPO, PRETRAINING, REWARD, SFT, STAGES
from core.topics.training.stages import checkpoints, dpo
from core.topics.training.stages.folder_lock import LOCK
from tests.questions.asked import asked_metrics
from tests.same_result import same
from tests.topics.training_topic_runs import figures, finished, messages, quick, result_of, tiny_model, tiny_world

__all__ = ["tiny_model", "tiny_world"]
pytestmark = pytest.mark.usefixtures("tiny_world")


def test_that_all_stages_run_in_order_and_measure_what_they_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "PARTIAL_EVERY_S", 0.0)
    result, events = finished(quick(knowledge=True, epochs=True))
    assert result is not None
    assert list(result.stages) == list(STAGES)
    assert all(run.finished for run in result.stages.values())
    assert [run.steps_done for run in result.stages.values()][1:] == [3, 2, 2, 2, 2]
    done = [event.done / event.total for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    assert done[-1] < 1
    partials = [event.result for event in events if isinstance(event, Partial)]
    growing = [sum(len(run.curves.steps) for run in partial.stages.values()) for partial in partials]
    assert growing == sorted(growing)
    assert len(set(growing)) > 10
    assert set(result.abilities) == {SFT, PPO, DPO, GRPO}
    assert all(set(prompt.answers) == {PRETRAINING, SFT, PPO, DPO, GRPO} for prompt in result.answers)
    assert {prompt.kind for prompt in result.answers} == {"description", "question", "unknown"}
    for prompt in result.answers:
        judged = set(prompt.answers) if prompt.kind == "description" else set()
        assert set(prompt.true_rewards) == set(prompt.judgements) == set(prompt.scores) == judged
        assert all(prompt.true_rewards[stage] == prompt.judgements[stage].score for stage in judged)
    assert {point.stage for point in result.frontier} == set(POLICY_STAGES)
    assert [comparison.by for comparison in result.comparisons] == ["tokens", "kl"]
    assert result.start is not None
    assert result.start.score is not None
    assert result.reliability is not None
    assert result.reliability.pairs.sum() == 32
    assert [model.role for model in result.stages[PPO].models] == ["policy", "reference", "reward", "value"]
    assert result.stages[PPO].samples[0].view.tokens
    assert math.isclose(result.value("dpo.first_loss"), math.log(2), abs_tol=1e-4)
    assert result.value("ppo.kl") >= 0
    assert result.knowledge is not None
    assert result.knowledge.with_new is not None
    assert result.epochs is not None
    assert len(result.epochs.drops) == 2
    assert asked_metrics("training") <= result.metrics.keys()
    assert same(TrainingResult.from_bytes(result.to_bytes()), result)


def test_that_a_run_killed_in_every_stage_continues_to_the_same_figures(tmp_path: Path) -> None:
    extra = {"knowledge": True, "epochs": True}
    whole = result_of(quick(folder=str(tmp_path / "whole"), **extra))
    params = quick(folder=str(tmp_path / "killed"), **extra)
    kills = ["SFT, step 2", "sampling pairs", "Reward model, step 1", "PPO, step 1", "DPO, step 1", "GRPO, step 2",
             "SFT with new facts, step 2", "Several epochs, step 5"]  # fmt: skip
    for place in kills:
        result, _ = finished(params, place)
        assert result is None, f"it never came to {place}"
    continued = result_of(params)
    assert continued.stages[SFT].resumed_from == 3
    np.testing.assert_equal(figures(continued), figures(whole))


def test_that_one_stage_brings_only_those_that_it_needs() -> None:
    result = result_of(quick(stage="dpo"))
    assert list(result.stages) == [PRETRAINING, SFT, DPO]
    assert result.reliability is None
    assert result.pairs
    assert not any(prompt.scores for prompt in result.answers)


def test_that_a_later_run_continues_from_the_stages_before(tiny_world: Path) -> None:
    first = result_of(quick(stage="sft"))
    second = result_of(quick(stage="reward"))
    assert first.stages[SFT].resumed_from == 0
    assert second.stages[SFT].resumed_from == 3
    assert second.stages[REWARD].resumed_from == 0
    assert {folder.name.split("-")[0] for folder in tiny_world.iterdir()} == {"sft", "pairs", "reward"}


def test_that_stages_lie_in_the_users_folder_as_ordinary_files(tmp_path: Path) -> None:
    result = result_of(quick(stage="ppo", folder=str(tmp_path / "mine")))
    folder = tmp_path / "mine" / "seed-0" / "ppo"
    visible = sorted(file.name for file in folder.iterdir() if file.name != LOCK)
    assert visible == ["checkpoint.safetensors", "log.jsonl", "samples.jsonl"]
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    assert rows[1]["objective/kl"] == result.stages[PPO].curves.last("objective/kl")
    assert result.stages[PPO].log == str(folder / "log.jsonl")


def test_that_a_checkpoint_of_another_configuration_in_the_users_folder_is_refused(tmp_path: Path) -> None:
    result_of(quick(stage="sft", folder=str(tmp_path)))
    with pytest.raises(InvalidParams, match="belongs to another configuration") as refused:
        finished(quick(stage="sft", sft_rate=1e-4, folder=str(tmp_path)))
    assert refused.value.field == "folder"


_HOLDER = """
import sys, filelock
with filelock.FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_that_a_folder_in_which_another_process_trains_is_refused_until_that_ends(tmp_path: Path) -> None:
    stage = tmp_path / "seed-0" / "sft"
    stage.mkdir(parents=True)
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(stage / LOCK)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InvalidParams, match="Another run is writing in") as refused:
            finished(quick(stage="sft", folder=str(tmp_path)))
        holder.kill()
    assert refused.value.field == "folder"
    assert result_of(quick(stage="sft", folder=str(tmp_path))).stages[SFT].finished


def test_that_a_stage_of_another_version_in_the_programs_own_folder_is_replaced(tiny_world: Path) -> None:
    before = result_of(quick(stage="sft"))
    (folder,) = tiny_world.iterdir()
    (folder / "checkpoint.safetensors").write_bytes(b"not a checkpoint")
    after = result_of(quick(stage="sft"))
    assert after.stages[SFT].resumed_from == 0
    np.testing.assert_equal(figures(after), figures(before))


def test_that_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidParams, match="cannot be used for the stages") as refused:
        finished(quick(folder=str(tmp_path / "file")))
    assert refused.value.field == "folder"


def test_that_a_run_that_may_not_write_keeps_nothing_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TILESCOPE_DATA_DIR", str(tmp_path / "file"))
    result = result_of(quick(stage="sft"))
    assert result.stages[SFT].finished
    assert result.stages[SFT].log == ""
    assert any("Nothing is kept of this run" in text for text in messages(result))


def test_that_a_full_disk_stops_the_stage_and_keeps_its_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, line: str) -> None:
        if path.parent.name.startswith("reward") and '"step": 2' in line:
            raise OSError(28, "No space left on device")
        append(path, line)

    append = checkpoints._append
    monkeypatch.setattr(checkpoints, "_append", full)
    result = result_of(quick(stage="ppo"))
    assert result.stages[REWARD].steps_done == 1
    assert not result.stages[REWARD].finished
    assert "no space left on the disk" in str(result.stages[REWARD].error)
    assert PPO not in result.stages
    assert any("PPO is left out, because it needs Reward model." in text for text in messages(result))


def test_that_a_loss_that_is_nan_stops_the_stage_names_the_step_and_keeps_the_curve(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    losses = iter((1.0, math.nan))

    def loss_of(*logprobs: Any) -> tuple[Any, dict[str, float]]:
        loss, statistics = dpo_loss(*logprobs)
        return next(losses) * loss, statistics

    dpo_loss = dpo.dpo_loss
    monkeypatch.setattr(dpo, "dpo_loss", loss_of)
    result = result_of(quick(dpo_steps=3))
    assert result.stages[DPO].steps_done == 1
    assert not result.stages[DPO].finished
    assert "The loss of step 2 is NaN" in str(result.stages[DPO].error)
    assert any(text.startswith("DPO stopped: The loss of step 2 is NaN") for text in messages(result))
    assert result.stages[GRPO].finished
    assert "dpo.true_reward" not in result.metrics


def test_that_several_seeds_give_means_with_their_spread() -> None:
    result = result_of(quick(stage="sft", seeds=2, seed=3))
    assert [run.seed for run in result.runs] == [3, 4]
    outcome = {row.metric: row.values for row in result.outcomes}["sft.true_reward"]
    assert result.value("sft.true_reward") == pytest.approx(sum(outcome) / 2)
    assert "mean of 2 seeds" in str(result.metrics["sft.true_reward"].note)
    losses = [run.stages[SFT].curves.metrics["loss"].tolist() for run in result.runs]
    assert losses[0] != losses[1]
    assert result_of(quick(stage="sft", seed=4)).stages[SFT].curves.metrics["loss"].tolist() == losses[1]


def test_that_pretraining_from_scratch_is_a_stage_like_the_others() -> None:
    result = result_of(quick(stage="sft", pretraining="scratch", pretraining_steps=3))
    run = result.stages[PRETRAINING]
    assert not run.recorded
    assert run.steps_done == 3
    assert run.models
    again = result_of(quick(stage="sft", pretraining="scratch", pretraining_steps=3))
    assert again.stages[PRETRAINING].resumed_from == 3
    np.testing.assert_equal(figures(again), figures(result))


def test_that_own_stages_do_not_fill_the_disk(tiny_world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result_of(quick(stage="sft"))
    (old,) = tiny_world.iterdir()
    monkeypatch.setattr(settings, "MAX_OWN_BYTES", 1)
    result_of(quick(stage="sft", seed=1))
    assert not old.exists()
    assert len(list(tiny_world.iterdir())) == 1
