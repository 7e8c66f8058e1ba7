"""What follows from the parameters: stages, memory, folders, comparisons and epochs, without a run."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from core.contracts.errors import InvalidParams
from core.topics.training.curves import Curves
from core.topics.training.epoch_steps import epochs_of
from core.topics.training.folders import CHECKPOINT, checkpoint_step, stage_folder
from core.topics.training.frontier import comparisons, frontier_points
from core.topics.training.params import TrainingParams
from core.topics.training.plan import check, held_models, plan
from core.topics.training.result import FrontierPoint
from core.topics.training.sabotage import SABOTAGES
from core.topics.training.settings import settings_of
from core.topics.training.stage_ids import DPO, GRPO, PPO, PRETRAINING, REWARD, ROUTES, SFT, STAGES, with_needed
from core.topics.training.stages.checkpoints import StageFiles, TrainingState


def test_that_a_stage_brings_those_that_it_needs() -> None:
    assert with_needed(PPO) == (PRETRAINING, SFT, REWARD, PPO)
    assert with_needed(DPO) == (PRETRAINING, SFT, DPO)
    assert TrainingParams(stage="grpo").stages == (PRETRAINING, SFT, REWARD, GRPO)
    assert TrainingParams().stages == STAGES


def test_that_routes_go_along_the_edges() -> None:
    for route in ROUTES:
        assert with_needed(route.stages[-1]) == route.stages
    lit = plan(TrainingParams(stage="sft"))
    assert [route.id for route in lit.routes if lit.is_lit(route)] == ["chatglm"]


def test_that_ppo_holds_four_models_and_dpo_two() -> None:
    assert [(model.role, model.trained) for model in held_models(PPO)] == [
        ("policy", True), ("reference", False), ("reward", False), ("value", True),
    ]  # fmt: skip
    assert [(model.role, model.trained) for model in held_models(DPO)] == [("policy", True), ("reference", False)]
    assert len(held_models(GRPO)) == 3
    assert plan(TrainingParams()).stages[PPO].bytes == sum(model.bytes for model in held_models(PPO))


@pytest.mark.parametrize("sabotage", [name for name in SABOTAGES if name != "none"])
def test_that_a_mistake_overrides_settings_and_says_what_to_look_for(sabotage: str) -> None:
    params = TrainingParams.parse({"sabotage": sabotage})
    kind = SABOTAGES[sabotage]
    assert kind.settings
    assert kind.metrics
    assert str(kind.look_for).endswith(".")
    assert settings_of(params, 0) != settings_of(TrainingParams(), 0)
    assert all(getattr(params.effective, name) == value for name, value in kind.settings.items())
    assert not params.needs_same_run_as(TrainingParams())
    assert params.needs_same_run_as(TrainingParams.parse(dict(kind.settings)))


def test_that_a_run_of_all_stages_is_also_that_of_one() -> None:
    whole, one = TrainingParams(), TrainingParams(stage="sft")
    assert one.needs_same_run_as(whole)
    assert not whole.needs_same_run_as(one)
    assert one.needs_same_run_as(whole.changed(kl_coef=0.3))
    assert not whole.changed(stage="ppo").needs_same_run_as(whole.changed(kl_coef=0.3))
    assert not one.changed(sft_steps=7).needs_same_run_as(whole)
    assert not whole.changed(seeds=2).needs_same_run_as(whole)
    assert whole.needs_same_run_as(whole.changed(seeds=2))


@pytest.mark.parametrize(
    ("name", "value"), [("sft_steps", 0), ("pairs", 0), ("label_noise", 0.6), ("sft_rate", math.nan), ("seeds", 4)]
)
def test_that_settings_that_train_nothing_are_refused(name: str, value: float) -> None:
    with pytest.raises(InvalidParams, match=name):
        TrainingParams.parse({name: value})


def test_that_groups_must_fit_into_the_answers_of_a_step() -> None:
    with pytest.raises(InvalidParams, match="groups of grpo_group = 7") as refused:
        TrainingParams.parse({"grpo_group": 7})
    assert refused.value.field == "rollouts"
    assert TrainingParams.parse({"grpo_group": 7, "stage": "ppo"}).rollouts == TrainingParams().rollouts


def test_that_other_settings_get_another_folder_and_the_same_ones_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TILESCOPE_DATA_DIR", str(tmp_path))
    whole = TrainingParams()
    changed = whole.changed(kl_coef=0.3)
    assert stage_folder(whole, SFT, 0) == stage_folder(changed, SFT, 0)
    assert stage_folder(whole, PPO, 0) != stage_folder(changed, PPO, 0)
    assert stage_folder(whole, PPO, 0) != stage_folder(whole, PPO, 1)
    assert stage_folder(whole, PPO, 0) == stage_folder(whole.changed(stage="ppo", log="x"), PPO, 0)
    assert stage_folder(whole.changed(folder=str(tmp_path / "mine")), PPO, 0) == tmp_path / "mine" / "seed-0" / "ppo"


def test_that_a_plan_knows_which_checkpoints_are_there(tmp_path: Path) -> None:
    params = TrainingParams(folder=str(tmp_path))
    folder = stage_folder(params, SFT, 0)
    folder.mkdir(parents=True)
    files = StageFiles(folder, {"stage": SFT}, save_every=1, last_step=40)
    weights = nn.Linear(1, 1)
    state = TrainingState({"model": weights}, torch.optim.AdamW(weights.parameters()), torch.Generator())
    files.keep(state, 40, {"loss": 1.0})
    stages = plan(params).stages
    assert stages[SFT].folder is not None
    assert stages[SFT].folder.step == 40
    assert stages[PPO].folder is not None
    assert stages[PPO].folder.step == 0


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, struct.pack("<Q", 1 << 60) + b"{}", b"\x02\0\0\0\0\0\0\0{}"])
def test_that_what_is_no_checkpoint_counts_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / CHECKPOINT
    path.write_bytes(content)
    assert checkpoint_step(path) == 0


def test_that_a_folder_that_cannot_be_a_path_is_a_problem_of_the_plan() -> None:
    planned = plan(TrainingParams(folder="a\0b"))
    assert planned.blames == "folder"
    with pytest.raises(InvalidParams):
        check(TrainingParams(folder="a\0b"))


def test_that_curves_are_columns_and_csv() -> None:
    curves = Curves.of([(2, {"loss": 0.5, "eval_loss": 1.5}), (1, {"loss": 1.0}), (2, {"kl": 0.25})])
    assert curves.steps.tolist() == [1, 2]
    assert curves.csv() == "step,loss,eval_loss,kl\n1,1.0,,\n2,0.5,1.5,0.25\n"
    assert curves.last("loss") == 0.5
    assert math.isnan(curves.last("missing"))
    assert Curves.of([]).csv() == ""


def test_that_points_of_the_frontier_are_those_of_evaluations() -> None:
    curves = Curves.of(
        [
            (1, {"num_tokens": 10.0, "eval/kl": 0.1, "eval/true_reward": 0.5, "eval/scores": 1.0}),
            (2, {"num_tokens": 20.0}),
            (3, {"num_tokens": 30.0, "eval/kl": 0.3, "eval/true_reward": 0.75}),
        ]
    )
    assert frontier_points(PPO, curves) == (
        FrontierPoint(PPO, 1, 10, 0.1, 0.5, 1.0),
        FrontierPoint(PPO, 3, 30, 0.3, 0.75, None),
    )


def test_that_stages_are_compared_at_equal_tokens_and_at_equal_kl() -> None:
    start = FrontierPoint(SFT, 0, 0, 0.0, 1.0)
    points = [
        FrontierPoint(PPO, 1, 100, 1.0, 1.5),
        FrontierPoint(PPO, 2, 200, 3.0, 2.5),
        FrontierPoint(PPO, 3, 300, 4.0, 2.75),
        FrontierPoint(DPO, 1, 250, 1.0, 1.25),
        FrontierPoint(DPO, 9, 250, 2.0, 2.0),
    ]
    tokens, kl = comparisons(points, start)
    assert (tokens.by, tokens.amount) == ("tokens", 250)
    assert [(point.stage, point.step) for point in tokens.points] == [(PPO, 2), (DPO, 9)]
    assert (kl.by, kl.amount) == ("kl", 2.0)
    assert [(point.stage, point.kl, point.true_reward) for point in kl.points] == [(PPO, 2.0, 2.0), (DPO, 2.0, 2.0)]
    assert comparisons(points[:3], start) == ()


def test_that_a_kl_below_the_first_evaluation_is_interpolated_from_the_sft_model() -> None:
    start = FrontierPoint(SFT, 0, 0, 0.0, 1.0)
    points = [FrontierPoint(PPO, 1, 100, 1.0, 1.5), FrontierPoint(DPO, 1, 250, 0.5, 1.25)]
    kl = comparisons(points, start)[1]
    assert [point.true_reward for point in kl.points] == [1.25, 1.25]


def test_that_a_staircase_has_its_drops_at_the_epochs_and_a_ramp_has_none() -> None:
    steps = np.arange(48)
    stairs = epochs_of(Curves.of((int(s) + 1, {"loss": 3.0 - s // 16}) for s in steps), examples=128, batch=8)
    assert stairs.boundaries == (16, 32)
    assert stairs.drops == (1.0, 1.0)
    assert stairs.slopes == (0.0, 0.0)
    assert (stairs.first_seen, stairs.seen_before) == (3.0, 1.0)
    ramp = epochs_of(Curves.of((int(s) + 1, {"loss": 3.0 - s / 16}) for s in steps), examples=128, batch=8)
    assert np.allclose(ramp.drops, ramp.slopes)


def test_that_epochs_in_progress_have_no_drops_yet() -> None:
    begun = epochs_of(Curves.of([(1, {"loss": 3.0})]), examples=128, batch=8)
    assert begun.drops == ()
    assert begun.first_seen is None
