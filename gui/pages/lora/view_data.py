"""Prepares a plan or a result of LoRA and AdaLoRA for the plots. Renames and regroups; computes only text.

A result may be incomplete: each function uses what exists so far.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from core.contracts.text import Text, listed, tr, tr_in, tr_plural, verbatim
from core.format import format_quantity
from core.topics.lora.plan import Plan
from core.topics.lora.result import AdaptedMatrix, LoraResult, RankHistory
from core.topics.lora.schedule import Schedule
from core.trace.kernel_traffic import TensorTraffic
from gui.charts.row_grid import ColourScale, RowGrid
from gui.charts.series import Mark, Series
from gui.charts.ticks import short_quantity
from gui.widgets.samples_table import BEFORE, Sample, Variant

RUNS = {"lora": 0, "adalora": 1, "full": 3}
"""Each run's index among the theme's series colours, the same in every picture."""
_BUDGET_COLOUR = 6
_VARIANTS = (("unfused", tr("Unfused")), ("fused nf4", tr("Fused NF4")), ("fused", tr("Fused")))
"""The first and the last are compared, because they use the same weights."""
_TENSOR_LABELS = {"W in NF4": tr("W in NF4"), "in between": tr("intermediate")}
_ANSWERING = (
    BEFORE,
    Variant("lora", "LoRA", "LoRA"),
    Variant("adalora", "AdaLoRA", "Ada"),
    Variant("full", tr_in("matrices", "Full"), tr_in("matrices", "Full")),
)


def rank_grid(result: LoraResult) -> RowGrid | None:
    """One row per matrix in the model's order, layer by layer, and one column per step."""
    history, params = result.history, result.params
    if history is None or not history.steps_done:
        return None
    values = np.full((len(result.matrices), params.steps), np.nan)
    values[:, : history.steps_done] = history.ranks.T
    return RowGrid(
        values=values,
        names=tuple(matrix.kind for matrix in result.matrices),
        groups=tuple(f"L{matrix.layer}" if matrix.layer >= 0 else "" for matrix in result.matrices),
        scale=rank_scale(params.init_r, params.target_r),
        x_name=str(tr("step")),
        x_range=(0.5, params.steps + 0.5),
        read=read_cell(result, history),
        done=history.steps_done,
        lines=tuple((mark.x, mark.label) for mark in phase_marks(result.schedule)),
        edge_marks=tuple((np.flatnonzero(history.allocated) + 1.0).tolist()),
    )


def rank_scale(start: int, target: int) -> ColourScale:
    """One colour per rank, from 0 to the initial rank."""
    ticks = {
        0: tr("rank {rank}", rank=0),
        start: tr("{rank} initial", rank=start),
        target: tr("{rank} target", rank=target),
    }
    return ColourScale(
        colour_map="viridis",
        limits=(-0.5, start + 0.5),
        ticks=tuple((rank, str(label)) for rank, label in ticks.items()),
        tip=str(tr("The rank of a matrix: the number of triplets that it keeps.")),
        steps=start + 1,
    )


def read_cell(result: LoraResult, history: RankHistory) -> Callable[[int, int], str]:
    """The read-out of a matrix at a step (its column, from 0)."""
    done, ranks = history.steps_done, history.ranks

    def read(index: int, column: int) -> str:
        step, matrix = column + 1, result.matrices[index]
        if step > done:
            return str(tr("step {step:,}: not reached yet", step=step))
        lines = [
            tr("{matrix}, step {step:,}", matrix=matrix.title, step=step),
            tr("rank {rank} of {initial}", rank=int(ranks[column, index]), initial=result.params.init_r),
        ]
        if column and ranks[column, index] != ranks[column - 1, index]:
            lines.append(tr("changed at this step from {rank}", rank=int(ranks[column - 1, index])))
        lines.append(
            tr(
                "{rows:,} × {columns:,}, LoRA's rank {rank}",
                rows=matrix.rows,
                columns=matrix.columns,
                rank=matrix.lora_rank,
            )
        )
        if matrix.final_rank is not None and step == done:
            lines.append(tr("mean importance {importance}", importance=_number(matrix.importance)))
        lines.append(
            tr(
                "all matrices: {triplets:,} triplets, budget {budget:,}",
                triplets=int(history.total_rank[column]),
                budget=int(history.budget[column]),
            )
        )
        return "\n".join(map(str, lines))

    return read


def phase_marks(schedule: Schedule) -> list[Mark]:
    """Marks at the start and at the end of pruning, as far as training reaches them."""
    return [mark for mark in _marks(schedule) if mark.x <= schedule.trained]


def planned_marks(schedule: Schedule) -> list[Mark]:
    """Marks at the start and at the end of pruning, and where training ends if the schedule is planned for another
    number of steps."""
    if schedule.total == schedule.trained:
        return _marks(schedule)
    end = Mark(float(schedule.trained), str(tr("training ends at {step:,}", step=schedule.trained)), 0.5)
    return [*_marks(schedule), end]


def _marks(schedule: Schedule) -> list[Mark]:
    end = schedule.last_allocation
    return [
        Mark(float(schedule.tinit), f"tinit {schedule.tinit}"),
        Mark(float(end), str(tr("tfinal from {step}", step=end))),
    ]


def planned_budget(plan: Plan) -> Series:
    """The budget that the schedule will allow."""
    return _budget(plan.budget)


def budget_series(history: RankHistory) -> list[Series]:
    """The schedule's budget, and the total number of triplets kept."""
    kept = history.total_rank
    total = Series(str(tr("total rank")), np.arange(1, kept.size + 1), kept, RUNS["adalora"], "stairs")
    return [_budget(history.budget), total]


def loss_series(result: LoraResult) -> list[Series]:
    """The loss of each batch as a faint line, and the loss on held-out rows as rings in the same colour."""
    params, series = result.params, []
    texts = {
        "lora": tr("LoRA, rank {rank}", rank=params.target_r),
        "adalora": tr("AdaLoRA, rank {initial} → {target}", initial=params.init_r, target=params.target_r),
        "full": tr("full matrices"),
    }
    labels = {run: str(text) for run, text in texts.items()}
    for name, run in result.runs.items():
        batches, held_out, steps = run.losses, run.held_out_losses, result.held_out_steps
        has_held_out = held_out is not None and held_out.size > 0
        if batches is not None and batches.size:
            label = str(tr("{run}: batch", run=texts[name])) if has_held_out else labels[name]
            x = np.arange(1, batches.size + 1)
            series.append(Series(label, x, batches, RUNS[name], "faint", in_legend=not has_held_out))
        if held_out is not None and has_held_out and steps is not None:
            series.append(Series(labels[name], steps[: held_out.size], held_out, RUNS[name], "rings"))
    return series


def spectrum(result: LoraResult | None, index: int) -> tuple[list[Series], list[Mark]]:
    """Singular values of a matrix's updates, and a mark at LoRA's rank."""
    if result is None or not 0 <= index < len(result.matrices) or not result.spectra:
        return [], []
    labels = {"full": str(tr("full matrices")), "lora": "LoRA", "adalora": "AdaLoRA"}
    series = [
        Series(label, np.arange(1, result.spectra[run].shape[1] + 1), result.spectra[run][index], RUNS[run])
        for run, label in labels.items()
        if run in result.spectra
    ]
    rank = result.matrices[index].lora_rank
    return series, [Mark(float(rank), str(tr("rank {rank}", rank=rank)), 0.9)]


def spectrum_title(matrix: AdaptedMatrix) -> Text:
    """The matrix, and how much energy of its full update LoRA's rank can hold."""
    if matrix.energy_in_rank is None:
        return matrix.title
    share = f"{100 * matrix.energy_in_rank:.3g}%"
    return tr_plural(
        "{matrix}, full update: {share} of the energy in the first singular value",
        "{matrix}, full update: {share} of the energy in the first {count} singular values",
        count=matrix.lora_rank,
        matrix=matrix.title,
        share=share,
    )


def size_curves(plan: Plan) -> list[Series]:
    """Trainable parameters of a public model by rank, and all parameters of the model for comparison."""
    ranks, trainable = (values.astype(float) for values in plan.parameters_by_rank)
    all_parameters = np.full(ranks.size, float(plan.preset.parameters))
    return [
        Series(str(tr("LoRA on {kinds}", kinds=listed(plan.preset.kinds))), ranks, trainable, RUNS["lora"]),
        Series(str(tr("all parameters")), ranks, all_parameters, RUNS["full"]),
    ]


def size_sentence(plan: Plan) -> Text:
    """The selected model and rank, and the reduction in trainable parameters."""
    preset = plan.preset
    return tr(
        "{model}, rank {rank}: {trainable} of {parameters} parameters, {times:,.0f} times fewer",
        model=preset.name,
        rank=preset.rank,
        trainable=short_quantity(preset.trainable),
        parameters=short_quantity(preset.parameters),
        times=preset.reduction,
    )


def text_samples(result: LoraResult | None) -> tuple[list[Variant], list[Sample]]:
    """The model's answers to held-out rows before and after training."""
    rows = () if result is None else result.samples
    variants = [variant for variant in _ANSWERING if any(row.answers.get(variant.key) for row in rows)]
    keys = [variant.key for variant in variants]
    return variants, [Sample(row.row, row.expected, {key: row.answers.get(key) for key in keys}) for row in rows]


def traffic(result: LoraResult | None) -> tuple[list[tuple[str, str]], list[TensorTraffic]]:
    """Bytes of the forward pass by variant and tensor."""
    rows = () if result is None else result.traffic
    variants = [(key, str(label)) for key, label in _VARIANTS if any(row.kernel == key for row in rows)]
    order = [key for key, _ in variants]
    shown = sorted((row for row in rows if row.kernel in order), key=lambda row: order.index(row.kernel))
    return variants, [replace(row, tensor=str(_TENSOR_LABELS.get(row.tensor, row.tensor))) for row in shown]


def _budget(budget: np.ndarray) -> Series:
    return Series(str(tr("budget (cubic)")), np.arange(1, budget.size + 1), budget, _BUDGET_COLOUR, "dashed")


def _number(value: float | None) -> Text:
    return tr("none") if value is None else verbatim(format_quantity(float(value)))
