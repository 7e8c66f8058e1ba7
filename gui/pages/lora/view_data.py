"""A result of LoRA and AdaLoRA in the terms of the plots. Renames and regroups; computes nothing but text.

A result may be one in the making: each function takes what there is by now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from core.comparison import ImplResult, impl_results
from core.contracts.result import Provenance, Result, Row
from core.format import format_quantity
from core.trace.kernel_traffic import TensorTraffic
from gui.charts.row_grid import ColourScale, RowGrid
from gui.charts.series import Mark, Series
from gui.pages.lora.factor_pictures import PARTS, Factors
from gui.pages.lora.triplet_view import Triplets
from gui.widgets.samples_table import BEFORE, Sample, Variant

RUNS = {"lora": 0, "adalora": 1, "full": 3}
"""The runs with their places among the theme's series: the same in every picture."""
_BUDGET_INK = 6
_VARIANTS = (("unfused", "Unfused"), ("fused nf4", "Fused NF4"), ("fused", "Fused"))
"""The first and the last are compared: both over the same weights."""


def matrices(result: Result | None) -> list[Row]:
    return [] if result is None else result.tables.get("matrices", [])


def steps_done(result: Result | None) -> int:
    """Steps of AdaLoRA that were recorded."""
    found = None if result is None else result.arrays.get("rank")
    return 0 if found is None else int(found.shape[0])


def where_measured(result: Result) -> Provenance:
    on_gpu = result.environment.device.startswith("cuda")
    return Provenance.MEASURED if on_gpu else Provenance.MEASURED_CPU


def title_of(row: Row) -> str:
    """A matrix by its layer and kind: 'layer 2 q_proj'."""
    return f"layer {row['layer']} {row['kind']}"


def rank_grid(result: Result | None) -> RowGrid | None:
    """A row per matrix in the order of the table, which goes layer by layer; a column per step, counted from 1."""
    rows = matrices(result)
    if result is None or not rows or not steps_done(result):
        return None
    params, ranks = result.params, result.arrays["rank"]
    allocated = result.arrays.get("allocated", np.zeros(0, bool))
    steps, done = int(params["steps"]), steps_done(result)
    values = np.full((len(rows), steps), np.nan)
    values[:, :done] = ranks.T
    return RowGrid(
        values=values,
        names=tuple(str(row["kind"]) for row in rows),
        groups=tuple(f"L{row['layer']}" for row in rows),
        scale=rank_scale(int(params["init_r"]), int(params["target_r"])),
        x_name="step",
        x_range=(0.5, steps + 0.5),
        read=read_cell(result),
        done=done,
        lines=tuple((mark.x, mark.label) for mark in phase_marks(params)),
        edge_marks=tuple((np.flatnonzero(allocated) + 1.0).tolist()),
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


def read_cell(result: Result) -> Callable[[int, int], str]:
    """What is read out of a matrix at a step (its column, from 0)."""
    rows, done = matrices(result), steps_done(result)
    total, budget, rank = (result.arrays[name] for name in ("total_rank", "budget", "rank"))

    def read(matrix: int, column: int) -> str:
        step, row = column + 1, rows[matrix]
        if step > done:
            return f"step {step:,}: not done"
        lines = [
            f"L{row['layer']} {row['kind']}, step {step:,}",
            f"rank {int(rank[column, matrix])} of {result.params['init_r']}",
        ]
        if column and rank[column, matrix] != rank[column - 1, matrix]:
            lines.append(f"changed at this step, from {int(rank[column - 1, matrix])}")
        lines.append(f"{row['rows']:,} × {row['columns']:,}, LoRA's rank {row['lora_rank']}")
        if row.get("final_rank") is not None and step == done:
            lines.append(f"mean importance {_number(row.get('importance'))}")
        lines.append(f"in all {int(total[column]):,} triplets, budget {int(budget[column]):,}")
        return "\n".join(lines)

    return read


def phase_marks(params: Mapping[str, Any]) -> list[Mark]:
    """Where pruning begins and where it ends."""
    end = int(params["steps"]) - int(params["tfinal"])
    return [Mark(float(params["tinit"]), f"tinit {params['tinit']}"), Mark(float(end), f"tfinal from {end}")]


def budget_series(budget: np.ndarray, result: Result | None) -> list[Series]:
    """The schedule's budget, and what was kept under it; `budget` int [steps] is the plan's, before a run."""
    allowed = budget if result is None else result.arrays.get("budget", budget)
    found = [Series("budget (cubic)", np.arange(1, allowed.size + 1), allowed, _BUDGET_INK, "dashed")]
    if result is not None and steps_done(result):
        kept = result.arrays["total_rank"]
        found.append(Series("total rank", np.arange(1, kept.size + 1), kept, RUNS["adalora"], "stairs"))
    return found


def loss_series(result: Result | None) -> list[Series]:
    """Each batch's loss, faint, and the loss on held-out rows as rings in the same ink."""
    if result is None:
        return []
    params, found = result.params, []
    labels = {
        "lora": f"LoRA, rank {params['target_r']} each",
        "adalora": f"AdaLoRA, {params['init_r']} to {params['target_r']} on average",
        "full": "whole",
    }
    for run, ink in RUNS.items():
        batches, held_out = result.arrays.get(f"loss.{run}"), result.arrays.get(f"held_out.{run}")
        observed = held_out is not None and held_out.size > 0
        if batches is not None and batches.size:
            steps = np.arange(1, batches.size + 1)
            name = f"{labels[run]}: batch" if observed else labels[run]
            found.append(Series(name, steps, batches, ink, "faint", in_legend=not observed))
        if held_out is not None and observed:
            at = result.arrays["held_out.steps"][: held_out.size]
            found.append(Series(labels[run], at, held_out, ink, "rings"))
    return found


def triplets(result: Result | None, matrix: int, step: int) -> Triplets | None:
    """Those of a matrix at the last recorded step that is not after `step`, the first one before that.

    Where peft keeps no scores any more (after tfinal), the last ones, by which the masks were set.
    """
    if result is None or "frames" not in result.arrays or not result.arrays["frames"].size:
        return None
    rows = matrices(result)
    if not 0 <= matrix < len(rows):
        return None
    frames = result.arrays["frames"]
    frame = max(0, int(np.searchsorted(frames, step, side="right")) - 1)
    scored = _scored_frame(result.arrays["importance"][:, matrix], frame)
    importance, kept = result.arrays["importance"][scored], result.arrays["kept"][frame]
    scores = importance[kept & np.isfinite(importance)]
    pruned = not kept.all()
    of_before = "" if scored == frame else f" (scores of step {int(frames[scored]):,})"
    return Triplets(
        title=f"{title_of(rows[matrix])}, step {int(frames[frame]):,}{of_before}",
        importance=importance[matrix],
        sensitivity=result.arrays["sensitivity"][scored, matrix],
        uncertainty=result.arrays["uncertainty"][scored, matrix],
        singular_value=result.arrays["singular_value"][frame, matrix],
        kept=kept[matrix],
        lowest_kept=float(scores.min()) if pruned and scores.size else float("nan"),
    )


def factors(result: Result | None, matrix: int) -> Factors | None:
    """LoRA's pictures of a matrix, once training has ended."""
    rows = matrices(result)
    if result is None or not 0 <= matrix < len(rows) or f"picture.{matrix}.ba" not in result.arrays:
        return None
    names = {part: f"picture.{matrix}.{part}" for part in PARTS}
    row = rows[matrix]
    return Factors(
        title=title_of(row),
        pictures={part: result.arrays[name] for part, name in names.items() if name in result.arrays},
        shape=(int(row["rows"]), int(row["columns"])),
        rank=int(row["lora_rank"]),
        scaling=float(result.params["alpha"]) / int(row["lora_rank"]),
    )


def spectrum(result: Result | None, matrix: int) -> tuple[list[Series], list[Mark]]:
    """Singular values of a matrix's updates, and the rank that LoRA cuts them at."""
    rows = matrices(result)
    if result is None or not 0 <= matrix < len(rows):
        return [], []
    found = []
    for run, label in (("full", "whole"), ("lora", "LoRA"), ("adalora", "AdaLoRA")):
        values = result.arrays.get(f"spectrum.{run}")
        if values is not None:
            found.append(Series(label, np.arange(1, values.shape[1] + 1), values[matrix], RUNS[run]))
    rank = int(rows[matrix]["lora_rank"])
    return found, [Mark(float(rank), f"rank {rank}", 0.9)] if found else []


def text_samples(result: Result | None) -> tuple[list[Variant], list[Sample]]:
    """What the model says of held-out rows before and after."""
    rows = [] if result is None else result.tables.get("samples", [])
    if not rows:
        return [], []
    after = (Variant("lora", "LoRA", "LoRA"), Variant("adalora", "AdaLoRA", "Ada"), Variant("full", "Whole", "Whole"))
    variants = [one for one in (BEFORE, *after) if any(row.get(one.key) for row in rows)]
    keys = [one.key for one in variants]
    return variants, [Sample(str(row["row"]), str(row["wanted"]), {key: row.get(key) for key in keys}) for row in rows]


def traffic(result: Result | None) -> tuple[list[tuple[str, str]], list[TensorTraffic]]:
    """Bytes of the forward pass by variant and tensor, the kernels of a variant added up."""
    rows = [] if result is None else result.tables.get("kernels", [])
    there = {row["variant"] for row in rows}
    variants = [(key, label) for key, label in _VARIANTS if key in there]
    order = [key for key, _ in variants]
    sums: dict[tuple[str, str], tuple[int, int]] = {}
    for row in rows:
        key = row["variant"], _tensor_name(row)
        read, written = sums.get(key, (0, 0))
        sums[key] = read + int(row["read_bytes"]), written + int(row["written_bytes"])
    moved = [
        TensorTraffic(kernel, "", tensor, *amounts, 0) for (kernel, tensor), amounts in sums.items() if kernel in order
    ]
    return variants, sorted(moved, key=lambda one: order.index(one.kernel))


def implementations(result: Result | None) -> list[ImplResult]:
    """Those that a run compared."""
    return [] if result is None else impl_results(result.tables.get("comparison", []))


def run_row(result: Result | None, run: str) -> Row | None:
    """What is told of one run, once it has ended."""
    rows = [] if result is None else result.tables.get("runs", [])
    return next((row for row in rows if row["run"] == run), None)


def _scored_frame(importance: np.ndarray, frame: int) -> int:
    """The last frame up to `frame` in which a matrix, float [frames, triplets], has scores; `frame` without any."""
    return next((at for at in range(frame, -1, -1) if np.isfinite(importance[at]).any()), frame)


def _tensor_name(row: Row) -> str:
    """As the run named it. What it did not name lies between two kernels, or is part of W's NF4 form."""
    name = str(row["tensor"])
    if row["variant"] == "fused nf4" and (name.endswith("_ptr") or name == "codes of W"):
        return "W in NF4"
    return "in between" if name.endswith("_ptr") else name


def _number(value: float | None) -> str:
    return "none" if value is None else format_quantity(float(value))
