"""The stages as they are on the map: their numbers from a run, or from the plan. Renames and regroups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from core.contracts.text import Text, tr, tr_in, tr_plural, verbatim
from core.format import format_quantity
from core.outside import shown_label
from core.topics.training.curves import Curves
from core.topics.training.plan import Plan, StagePlan
from core.topics.training.remarks import Remark, remarks, serious_ones
from core.topics.training.result import HeldModel, StageRun, TrainingResult
from core.topics.training.stage_ids import DPO, GRPO, PPO, PRETRAINING, REWARD, SFT, STAGES
from gui.pages.training.curve_source import REMARK_NAMES
from gui.pages.training.route_layout import OWN_LOG

State = Literal["planned", "left out", "recorded", "running", "done", "stopped"]
UNITS = {
    "sequences": tr_in("noun", "sequences"),
    "examples": tr_in("noun", "examples"),
    "pairs": tr_in("noun", "pairs"),
    "answers": tr_in("noun", "answers"),
}
ROLES = {
    "policy": tr("policy"),
    "reference": tr("reference"),
    "reward": tr("reward model"),
    "value": tr("value model"),
}
_SHORT = {PRETRAINING: tr_in("stage", "Pretrain"), REWARD: tr_in("stage", "Reward")}
_STATES = {
    "planned": tr("Not run yet."),
    "left out": tr("Not among the stages to run."),
    "recorded": tr("Recorded when the model was made that comes with the program."),
    "running": tr("Running."),
    "done": tr("Finished."),
    "stopped": tr("Stopped early."),
}


@dataclass(frozen=True)
class StageNode:
    """One box. `facts` are lines, each as wordings from the longest to the shortest; `short` is a short title. `share`
    of its steps is done. `troubled`: its curves have a serious remark."""

    key: str
    title: str
    facts: tuple[tuple[str, ...], ...]
    state: State
    share: float = 0.0
    models: tuple[HeldModel, ...] = ()
    tip: str = ""
    short: str = ""
    troubled: bool = False

    @property
    def is_lit(self) -> bool:
        return self.state in ("recorded", "done", "running", "stopped")


def nodes(plan: Plan, result: TrainingResult | None) -> tuple[StageNode, ...]:
    """All stages, and the user's own log."""
    runs = {} if result is None else result.stages
    return (*(_node(plan.stages[stage], runs.get(stage)) for stage in STAGES), _own_log(plan))


def state_of(planned: StagePlan, run: StageRun | None) -> State:
    if run is None:
        return "recorded" if planned.recorded else "planned" if planned.runs else "left out"
    if run.error:
        return "stopped"
    if run.recorded:
        return "recorded"
    return "done" if run.finished else "running"


def newest_stage(plan: Plan, result: TrainingResult | None) -> str | None:
    """The stage that runs, else PPO if a whole run had it, else the last one that ran; None before the first."""
    ran = [stage for stage in STAGES if result is not None and stage in result.stages and stage != PRETRAINING]
    if result is None or not ran:
        return None
    running = [stage for stage in ran if state_of(plan.stages[stage], result.stages[stage]) == "running"]
    return running[-1] if running else PPO if PPO in ran else ran[-1]


def _node(planned: StagePlan, run: StageRun | None) -> StageNode:
    state = state_of(planned, run)
    steps = planned.steps if run is None else run.steps
    done = 0 if run is None else run.steps_done
    count = (
        tr("{steps:,} steps", steps=steps) if run is None else tr("{done:,} / {steps:,} steps", done=done, steps=steps)
    )
    short = f"{steps:,}" if run is None else f"{done:,} / {steps:,}"
    metric = () if run is None else headline(planned.id, run.curves)
    batch = tr("{count} {unit} per step", count=planned.batch, unit=UNITS[planned.unit])
    second = metric or (str(batch), str(tr("batch {count}", count=planned.batch)))
    models = planned.models if run is None or not run.models else run.models
    serious = () if run is None else serious_ones(remarks(run.curves))
    return StageNode(
        planned.id,
        str(planned.label),
        ((str(count), short), second),
        state,
        1.0 if state in ("done", "recorded") else done / max(1, steps),
        models,
        "\n".join((_tip(planned, run, state, str(count), models), *map(str, _remark_words(serious)))),
        str(_SHORT.get(planned.id, "")),
        bool(serious),
    )


def headline(stage: str, curves: Curves) -> tuple[str, ...]:
    """The number that says most about a stage, as wordings; none without a value."""
    for name, unit, labels in _HEADLINES[stage]:
        value = curves.last(name)
        if not math.isnan(value):
            number = format_quantity(100 * value if unit == "%" else value, unit)
            return (*(f"{label} {number}" for label in labels), number)
    return ()


_LOSS = (("loss", "nats", (tr("loss"),)),)
_ACCURACY = tr_in("metric", "accuracy")
_REWARDS = tr("true reward"), tr_in("reinforcement learning", "reward")
_POLICY = ("eval/true_reward", "", _REWARDS), ("true_reward", "", _REWARDS)
_HEADLINES: dict[str, tuple[tuple[str, str, tuple[Text, ...]], ...]] = {
    PRETRAINING: _LOSS,
    SFT: _LOSS,
    REWARD: (("eval_accuracy", "%", (tr("held-out accuracy"), _ACCURACY)), ("accuracy", "%", (_ACCURACY,))),
    PPO: _POLICY,
    DPO: _POLICY,
    GRPO: _POLICY,
}


def _tip(planned: StagePlan, run: StageRun | None, state: State, steps: str, models: tuple[HeldModel, ...]) -> str:
    lines: list[Text | str] = [
        f"{planned.label}: {_STATES[state]}" if run is None or not run.error else run.error,
        steps,
    ]
    if run is not None and run.resumed_from:
        lines.append(tr("Continued from the checkpoint of step {step}.", step=run.resumed_from))
    elif run is None and planned.folder is not None and planned.folder.step:
        lines.append(tr("A checkpoint of step {step} is there: a run continues from it.", step=planned.folder.step))
    if run is not None:
        lines += [f"{name} {run.curves.last(name):.4g}" for name in _IN_TIP if not math.isnan(run.curves.last(name))]
    lines += [model_words(model) for model in models]
    lines.append(
        tr("{size} of weights, gradients and optimizer", size=format_quantity(sum(m.bytes for m in models), "bytes"))
    )
    return "\n".join(map(str, lines))


_IN_TIP = ("loss", "eval_loss", "eval_accuracy", "eval/true_reward", "eval/scores", "eval/kl", "rewards/margins")


def _remark_words(found: Sequence[Remark]) -> list[Text]:
    return [
        tr("{remark} from step {step}", remark=REMARK_NAMES[remark.id], step=remark.step)
        if remark.step is not None
        else REMARK_NAMES[remark.id]
        for remark in found
    ]


def model_words(model: HeldModel) -> Text:
    """A model in memory: its role, whether it trains, and its size."""
    values = {"model": ROLES.get(model.role, verbatim(model.role)), "count": model.parameters}
    if model.trained:
        return tr("{model}: {count:,} parameters, trained", **values)
    return tr("{model}: {count:,} parameters, frozen", **values)


def _own_log(plan: Plan) -> StageNode:
    title = str(tr("Your log"))
    if plan.own_log is not None:
        log = plan.own_log
        name = shown_label(log.path.rsplit("/", 1)[-1])
        rows = tr("{steps:,} steps", steps=len(log.curves.steps))
        found = tr_plural("{count} remark", "{count} remarks", count=len(log.remarks))
        tip = f"{shown_label(log.path)}\n{rows}\n{found}"
        troubled = bool(serious_ones(log.remarks))
        return StageNode(OWN_LOG, title, ((name,), (str(rows),)), "done", 1.0, tip=tip, troubled=troubled)
    if plan.log_problem:
        facts = ((str(tr("cannot be shown")),), ())
        return StageNode(OWN_LOG, title, facts, "stopped", tip=str(plan.log_problem))
    hint = (str(tr("drop a file here")), str(tr("drop here"))), ("trainer_state.json", "JSON")
    tip = tr("A trainer_state.json or JSON lines of your own training, in the same pictures: drop the file, or click.")
    return StageNode(OWN_LOG, title, hint, "planned", tip=str(tip))
