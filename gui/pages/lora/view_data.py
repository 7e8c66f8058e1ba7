"""A plan or a result of LoRA and AdaLoRA in the terms of the plots. Renames and regroups; computes nothing but text.

A result may be one in the making: each function takes what there is by now.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

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
"""The runs with their places among the theme's series: the same in every picture."""
_BUDGET_COLOUR = 6
_VARIANTS = (("unfused", "Unfused"), ("fused nf4", "Fused NF4"), ("fused", "Fused"))
"""The first and the last are compared: both over the same weights."""
_ANSWERING = (
    BEFORE,
    Variant("lora", "LoRA", "LoRA"),
    Variant("adalora", "AdaLoRA", "Ada"),
    Variant("full", "Whole", "Whole"),
)


def rank_grid(result: LoraResult) -> RowGrid | None:
    """One row per matrix in the model's order, which goes layer by layer; a column per step, counted from 1."""
    history, params = result.history, result.params
    if history is None or not history.steps_done:
        return None
    values = np.full((len(result.matrices), params.steps), np.nan)
    values[:, : history.steps_done] = history.ranks.T
    return RowGrid(
        values=values,
        names=tuple(matrix.kind for matrix in result.matrices),
        groups=tuple(f"L{matrix.layer}" for matrix in result.matrices),
        scale=rank_scale(params.init_r, params.target_r),
        x_name="step",
        x_range=(0.5, params.steps + 0.5),
        read=read_cell(result, history),
        done=history.steps_done,
        lines=tuple((mark.x, mark.label) for mark in phase_marks(result.schedule)),
        edge_marks=tuple((np.flatnonzero(history.allocated) + 1.0).tolist()),
    )


def rank_scale(start: int, target: int) -> ColourScale:
    """A colour per rank, from none to the one at the start."""
    return ColourScale(
        colour_map="viridis",
        limits=(-0.5, start + 0.5),
        ticks=tuple({0: "rank 0", start: f"{start} start", target: f"{target} target"}.items()),
        tip="Triplets that a matrix keeps (its rank): none, the average at the end, and all of the start",
        steps=start + 1,
    )


def read_cell(result: LoraResult, history: RankHistory) -> Callable[[int, int], str]:
    """What is read out of a matrix at a step (its column, from 0)."""
    done, ranks = history.steps_done, history.ranks

    def read(index: int, column: int) -> str:
        step, matrix = column + 1, result.matrices[index]
        if step > done:
            return f"step {step:,}: not done"
        lines = [
            f"L{matrix.layer} {matrix.kind}, step {step:,}",
            f"rank {int(ranks[column, index])} of {result.params.init_r}",
        ]
        if column and ranks[column, index] != ranks[column - 1, index]:
            lines.append(f"changed at this step, from {int(ranks[column - 1, index])}")
        lines.append(f"{matrix.rows:,} × {matrix.columns:,}, LoRA's rank {matrix.lora_rank}")
        if matrix.final_rank is not None and step == done:
            lines.append(f"mean importance {_number(matrix.importance)}")
        lines.append(f"in all {int(history.total_rank[column]):,} triplets, budget {int(history.budget[column]):,}")
        return "\n".join(lines)

    return read


def phase_marks(schedule: Schedule) -> list[Mark]:
    """Where pruning begins and where it ends."""
    end = schedule.last_allocation
    return [Mark(float(schedule.tinit), f"tinit {schedule.tinit}"), Mark(float(end), f"tfinal from {end}")]


def planned_budget(plan: Plan) -> Series:
    """What the schedule will allow."""
    return _budget(plan.budget)


def budget_series(history: RankHistory) -> list[Series]:
    """The schedule's budget, and what was kept under it."""
    kept = history.total_rank
    total = Series("total rank", np.arange(1, kept.size + 1), kept, RUNS["adalora"], "stairs")
    return [_budget(history.budget), total]


def loss_series(result: LoraResult) -> list[Series]:
    """Each batch's loss, faint, and the loss on held-out rows as rings in the same colour."""
    params, series = result.params, []
    labels = {
        "lora": f"LoRA, rank {params.target_r} each",
        "adalora": f"AdaLoRA, {params.init_r} to {params.target_r} on average",
        "full": "whole",
    }
    for name, run in result.runs.items():
        batches, held_out, steps = run.losses, run.held_out_losses, result.held_out_steps
        observed = held_out is not None and held_out.size > 0
        if batches is not None and batches.size:
            label = f"{labels[name]}: batch" if observed else labels[name]
            x = np.arange(1, batches.size + 1)
            series.append(Series(label, x, batches, RUNS[name], "faint", in_legend=not observed))
        if held_out is not None and observed and steps is not None:
            series.append(Series(labels[name], steps[: held_out.size], held_out, RUNS[name], "rings"))
    return series


def spectrum(result: LoraResult | None, index: int) -> tuple[list[Series], list[Mark]]:
    """Singular values of a matrix's updates, and the rank that LoRA cuts them at."""
    if result is None or not 0 <= index < len(result.matrices) or not result.spectra:
        return [], []
    labels = {"full": "whole", "lora": "LoRA", "adalora": "AdaLoRA"}
    series = [
        Series(label, np.arange(1, result.spectra[run].shape[1] + 1), result.spectra[run][index], RUNS[run])
        for run, label in labels.items()
        if run in result.spectra
    ]
    rank = result.matrices[index].lora_rank
    return series, [Mark(float(rank), f"rank {rank}", 0.9)]


def spectrum_title(matrix: AdaptedMatrix) -> str:
    """The matrix, and how much of what training it whole does LoRA's rank could hold."""
    if matrix.energy_in_rank is None:
        return matrix.title
    first = "first" if matrix.lora_rank == 1 else f"first {matrix.lora_rank}"
    return f"{matrix.title}, trained whole: {100 * matrix.energy_in_rank:.3g}% of its energy in the {first}"


def size_curves(plan: Plan) -> list[Series]:
    """Trainable parameters of a public model by rank, and all of the model's for the distance between them."""
    ranks, trainable = (values.astype(float) for values in plan.parameters_by_rank)
    whole = np.full(ranks.size, float(plan.preset.parameters))
    return [
        Series(f"LoRA on {', '.join(plan.preset.kinds)}", ranks, trainable, RUNS["lora"]),
        Series("every parameter", ranks, whole, RUNS["full"]),
    ]


def size_sentence(plan: Plan) -> str:
    """The chosen model and rank, and how many times fewer parameters are trained."""
    preset = plan.preset
    return (
        f"{preset.name}, rank {preset.rank}: {short_quantity(preset.trainable)} of {short_quantity(preset.parameters)} "
        f"parameters, {preset.reduction:,.0f} times fewer"
    )


def text_samples(result: LoraResult | None) -> tuple[list[Variant], list[Sample]]:
    """What the model says of held-out rows before and after."""
    rows = () if result is None else result.samples
    variants = [variant for variant in _ANSWERING if any(row.answers.get(variant.key) for row in rows)]
    keys = [variant.key for variant in variants]
    return variants, [Sample(row.row, row.expected, {key: row.answers.get(key) for key in keys}) for row in rows]


def traffic(result: LoraResult | None) -> tuple[list[tuple[str, str]], list[TensorTraffic]]:
    """Bytes of the forward pass by variant and tensor."""
    rows = () if result is None else result.traffic
    variants = [(key, label) for key, label in _VARIANTS if any(row.kernel == key for row in rows)]
    order = [key for key, _ in variants]
    return variants, sorted((row for row in rows if row.kernel in order), key=lambda row: order.index(row.kernel))


def _budget(budget: np.ndarray) -> Series:
    return Series("budget (cubic)", np.arange(1, budget.size + 1), budget, _BUDGET_COLOUR, "dashed")


def _number(value: float | None) -> str:
    return "none" if value is None else format_quantity(float(value))
