"""Frontier, comparison at equal cost, memory, calibration, knowledge and epochs, as series and rows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from core.contracts.text import Text, tr, tr_in, tr_plural
from core.format import format_quantity
from core.topics.training.plan import Plan
from core.topics.training.result import (
    Abilities,
    Epochs,
    FrontierPoint,
    HeldModel,
    Reliability,
    TrainingResult,
)
from core.topics.training.stage_ids import DPO, GRPO, POLICY_STAGES, PPO, SFT, STAGE_LABELS, STAGES
from gui.charts.row_chart_spec import MUTED, Band, Cell, Column, Ink, LegendKey, Row, RowSpec, Segment
from gui.charts.series import Mark, Series
from gui.pages.training.stage_nodes import ROLES, model_words

STAGE_INKS = {PPO: 0, DPO: 1, GRPO: 2}
_START_INK = 6
_ROLE_INKS = {"policy": "series.0", "reference": "series.4", "reward": "series.2", "value": "series.3"}
_TRAINED, _FROZEN = 0.85, 0.4


def frontier_series(result: TrainingResult) -> list[Series]:
    """True reward over KL, a ring per evaluation, joined in order of steps. All begin in the ring of the SFT model,
    which lies on top."""
    found = []
    for stage in POLICY_STAGES:
        points = _path(result, stage)
        if points:
            kl, reward = (np.array([getattr(p, name) for p in points]) for name in ("kl", "true_reward"))
            found.append(Series(str(STAGE_LABELS[stage]), kl, reward, STAGE_INKS[stage], "path", key=stage))
    if found and result.start is not None:
        where = np.array([result.start.kl]), np.array([result.start.true_reward])
        found.append(Series(str(STAGE_LABELS[SFT]), *where, _START_INK, "marks"))
    return found


def _path(result: TrainingResult, stage: str) -> list[FrontierPoint]:
    own = [point for point in result.frontier if point.stage == stage and not math.isnan(point.kl)]
    return [result.start, *own] if own and result.start is not None else own


def frontier_read_out(result: TrainingResult) -> Callable[[float], str | None]:
    """The evaluation of each stage that is nearest to a KL."""

    def read(kl: float) -> str | None:
        lines = []
        for stage in POLICY_STAGES:
            points = [point for point in result.frontier if point.stage == stage]
            if points:
                lines.append(_point_words(min(points, key=lambda point: abs(point.kl - kl))))
        return "\n".join(map(str, lines)) or None

    return read


def _point_words(point: FrontierPoint) -> Text:
    values = {
        "stage": STAGE_LABELS[point.stage],
        "step": point.step,
        "reward": format_quantity(point.true_reward),
        "kl": format_quantity(point.kl, "nats"),
        "tokens": point.num_tokens,
    }
    if point.score is None:
        return tr("{stage}, step {step}: true reward {reward}, KL {kl}, {tokens:,} tokens generated", **values)
    return tr(
        "{stage}, step {step}: true reward {reward}, reward model {score}, KL {kl}, {tokens:,} tokens generated",
        score=format_quantity(point.score),
        **values,
    )


def equal_rows(result: TrainingResult) -> RowSpec | None:
    """PPO, DPO and GRPO at one number of generated tokens, and at one KL."""
    bands = []
    for comparison in result.comparisons:
        if not comparison.points:
            continue
        title = (
            tr("At {count:,} generated tokens", count=round(comparison.amount))
            if comparison.by == "tokens"
            else tr("At a KL of {kl}", kl=format_quantity(comparison.amount, "nats"))
        )
        bands.append(Band(tuple(map(_equal_row, comparison.points)), str(title)))
    if not bands:
        return None
    columns = (
        Column(name=str(tr("true reward"))),
        Column(name="KL", unit="nats"),
        Column(name=str(tr("tokens"))),
    )
    return RowSpec(columns, tuple(bands))


def _equal_row(point: FrontierPoint) -> Row:
    ink = Ink(f"series.{STAGE_INKS.get(point.stage, 6)}")
    values = (point.true_reward, ""), (point.kl, "nats"), (float(point.num_tokens), "")
    cells = tuple(Cell(mark=value, ink=ink, texts=(format_quantity(value, unit),)) for value, unit in values)
    return Row(str(STAGE_LABELS[point.stage]), cells, str(_point_words(point)), point.stage)


def memory_rows(plan: Plan, result: TrainingResult | None) -> RowSpec:
    """Weights, gradients and optimizer state of the models that each stage holds; counted where it ran."""
    rows = []
    for stage in STAGES:
        run = None if result is None else result.stages.get(stage)
        models = run.models if run is not None and run.models else plan.stages[stage].models
        total = format_quantity(sum(model.bytes for model in models), "bytes")
        bar = tuple(Segment(model.bytes, _model_ink(model)) for model in models)
        about = [f"{STAGE_LABELS[stage]}: {total}", *(str(model_words(model)) for model in models)]
        trained = sum(model.trained for model in models)
        counts = tr_plural(
            "{count} model, {trained} trained", "{count} models, {trained} trained", count=len(models), trained=trained
        )
        cell = Cell(bars=(bar,), texts=(f"{total}, {counts}", total), text_ink=MUTED)
        rows.append(Row(str(STAGE_LABELS[stage]), (cell,), "\n".join(about), stage))
    titles = (str(tr("memory for models (weights, gradients, AdamW)")), str(tr("memory for models")), str(tr("memory")))
    roles = tuple(LegendKey(str(ROLES[role]), Ink(ink, _TRAINED)) for role, ink in _ROLE_INKS.items())
    pale = LegendKey(str(tr("paler: frozen")), Ink("series.6", _FROZEN))
    return RowSpec((Column(titles, unit="bytes"),), (Band(tuple(rows)),), ((*roles, pale),))


def _model_ink(model: HeldModel) -> Ink:
    return Ink(_ROLE_INKS.get(model.role, "series.6"), _TRAINED if model.trained else _FROZEN)


def calibration_series(reliability: Reliability) -> list[Series]:
    """Accuracy over confidence, beside the line where both are equal."""
    known = ~np.isnan(reliability.accuracy) & ~np.isnan(reliability.confidence)
    ends = np.array([0.5, 1.0])
    found = Series(
        str(tr("reward model")), reliability.confidence[known], reliability.accuracy[known], 2, "rings", key="reward"
    )
    return [found, Series(str(tr("as often right as sure")), ends, ends, 6, "dashed")]


def calibration_note(reliability: Reliability) -> Text:
    return tr(
        "{accuracy:.1%} of {pairs:,} held-out pairs right; calibration error {error:.3f}",
        accuracy=reliability.accuracy_of_all,
        pairs=int(reliability.pairs.sum()),
        error=reliability.expected_error,
    )


_ABILITIES: tuple[tuple[Text, str, str], ...] = (
    (tr_in("facts", "known"), "known", "series.0"),
    (tr_in("facts", "new"), "new", "series.1"),
    (tr_in("facts", "made up"), "invented", "series.4"),
    (tr_in("facts", "true"), "truth", "series.2"),
    (tr_in("answers", "form"), "form", "series.6"),
)


def knowledge_rows(result: TrainingResult) -> RowSpec | None:
    """What the model answers after each stage, and after SFT with and without facts that only SFT states."""
    rows = [
        _ability_row(str(STAGE_LABELS[stage]), result.abilities[stage], stage)
        for stage in STAGES
        if stage in result.abilities
    ]
    knowledge = result.knowledge
    if knowledge is not None:
        rows.append(Row(str(tr("{count} new facts:", count=knowledge.new_facts)), ink=MUTED))
        rows.append(_ability_row(str(tr("pretrained")), knowledge.before))
        rows.append(_ability_row(str(tr("SFT, no new")), knowledge.without_new))
        if knowledge.with_new is not None:
            rows.append(_ability_row(str(tr("SFT, with new")), knowledge.with_new))
    if not rows:
        return None
    columns = tuple(
        Column((str(label),), limits=(0.0, 100.0), has_axis=False, texts_apart=True) for label, *_ in _ABILITIES
    )
    return RowSpec(columns, (Band(tuple(rows)),))


def _ability_row(name: str, abilities: Abilities, key: str | None = None) -> Row:
    values = [(label, getattr(abilities, field), ink) for label, field, ink in _ABILITIES]
    lines = [f"{name}:"]
    lines += [
        str(tr("{what}: {share}", what=ABILITY_WORDS[field], share=_percent(getattr(abilities, field))))
        for _, field, _ in _ABILITIES
    ]
    return Row(name, tuple(_share_cell(share, ink) for _, share, ink in values), "\n".join(lines), key)


def _share_cell(share: float | None, ink: str) -> Cell:
    if share is None or math.isnan(share):
        return Cell(texts=("—",), text_ink=MUTED)
    return Cell(bars=((Segment(100 * share, Ink(ink, 0.8)),),), texts=(_percent(share),))


def _percent(share: float | None) -> str:
    return "—" if share is None or math.isnan(share) else f"{100 * share:.0f}%"


ABILITY_WORDS = {
    "known": tr("right about facts of the pretraining text"),
    "new": tr("right about facts that only SFT states"),
    "invented": tr("names a fact about people in no text"),
    "truth": tr("true among the facts that it states in descriptions"),
    "form": tr("answers in the asked form"),
}


def epochs_series(epochs: Epochs) -> list[Series]:
    """The loss of each batch before its update, and the held-out loss."""
    names = {"loss": tr("training loss"), "eval_loss": tr("held-out loss")}
    found = []
    for colour, (metric, label) in enumerate(names.items()):
        steps, values = epochs.curves.points(metric)
        if len(steps):
            found.append(Series(str(label), steps, values, colour, "line" if metric == "loss" else "rings"))
    return found


def epochs_marks(epochs: Epochs) -> list[Mark]:
    """Where each epoch but the first begins."""
    return [
        Mark(float(step), str(tr("epoch {number}", number=number)), 0.92)
        for number, step in enumerate(epochs.boundaries, start=2)
    ]


def epochs_note(epochs: Epochs) -> Text:
    if not epochs.drops:
        return tr("{count} examples, seen again in each epoch.", count=epochs.examples)
    return tr(
        "Drop at a new epoch: {drop}; over as many steps within one: {slope}.",
        drop=format_quantity(float(np.mean(epochs.drops)), "nats"),
        slope=format_quantity(float(np.mean(epochs.slopes)), "nats") if epochs.slopes else "—",
    )


TITLES = (
    tr("Models"),
    tr("Frontier"),
    tr("Equal cost"),
    tr("Calibration"),
    tr_in("facts", "Knowledge"),
    tr("Epochs"),
)
NAMES = ("models", "frontier", "equal-cost", "calibration", "knowledge", "epochs")
MODELS, FRONTIER, EQUAL, CALIBRATION, KNOWLEDGE, EPOCHS = range(len(TITLES))
