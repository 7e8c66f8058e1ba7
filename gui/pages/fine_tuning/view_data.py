"""What the page's pictures show, taken from a plan or a run: places and gradients, costs, curves. Nothing is drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from core.contracts.result import Provenance, Result, Row
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.model.plan import Plan
from core.topics.fine_tuning.params import FineTuningParams
from gui.charts.series import Series, Style
from gui.pages.fine_tuning.method_costs import PARTS, MemorySplit, MethodCost
from gui.pages.fine_tuning.transformer_grid import Place, PlacesGrid, PlacesOf

ORDER = tuple(method.value for method in METHODS)
"""Ids of the methods as they are numbered, from 1."""

SHORT = {
    "full": "Full",
    "prefix-tuning": "Prefix",
    "prompt-tuning": "Prompt",
    "p-tuning-v2": "P-v2",
    "lora": "LoRA",
    "qlora": "QLoRA",
    "adalora": "Ada",
}
_IN_LEGEND = {"prefix-tuning": "Prefix", "prompt-tuning": "Prompt", "p-tuning-v2": "P-v2"}
_PLACE_NAMES = {
    "prefix_encoder": "prefix encoder (MLP)",
    "prompt": "prompt",
    "prefix": "prefix keys and values",
    "embedding": "embedding",
    "attention_norm": "attention norm",
    "mlp_norm": "MLP norm",
    "final_norm": "final norm",
    "head": "head",
    "other": "other",
}


def label(method: str) -> str:
    return METHODS[MethodId(method)].label


def provenance(result: Result) -> Provenance:
    """Where what a run measured comes from."""
    return Provenance.MEASURED if result.environment.device.startswith("cuda") else Provenance.MEASURED_CPU


def fits(plan: Plan | None, result: Result | None) -> bool:
    """Whether the run is of what the plan asks for, whichever method is shown."""
    if plan is None or result is None:
        return False
    asked = plan.params.model_dump(mode="json")
    return {**asked, "method": ""} == {**result.params, "method": ""}


def has_run(result: Result | None, method: str) -> bool:
    """Whether a run has a loss of that method."""
    return result is not None and f"loss.{method}" in result.arrays


def methods_run(result: Result | None) -> tuple[str, ...]:
    """Those that a run trained, or trains."""
    if result is None:
        return ()
    return tuple(method.value for method in FineTuningParams(**result.params).chosen)


# Places and gradients.


def grid(plan: Plan, result: Result | None) -> PlacesGrid:
    """The run's places, else the plan's."""
    rows = [] if result is None else result.tables.get("places", [])
    if rows:
        return PlacesGrid(tuple(_place(row["place"], row["layer"], row["kind"], row["parameters"]) for row in rows))
    return PlacesGrid(tuple(_place(place.id, place.layer, place.kind, place.parameters) for place in plan.places))


def places_of(plan: Plan, result: Result | None, method: str, step: int | None) -> PlacesOf:
    """What a method does at each place, with the gradients at a step (the newest for None) where a run measured it."""
    rows = [] if result is None else result.tables.get("places", [])
    if result is None or not rows or method not in rows[0]:
        trained = plan.counts[MethodId(method)].trained_at
        if not rows:
            return PlacesOf(tuple(trained.get(place.id, 0) for place in plan.places))
        return PlacesOf(tuple(trained.get(row["place"], 0) for row in rows))
    trainable = tuple(int(row[method] or 0) for row in rows)
    norms, frame = result.arrays.get(f"gradient.{method}"), frame_at(result, method, step)
    return PlacesOf(
        trainable,
        None if norms is None or frame is None else norms[frame],
        result.arrays.get(f"frozen_gradient.{method}"),
    )


def frames(result: Result | None) -> np.ndarray:
    """int64 [frames]: the steps whose gradients were kept, of the method that is furthest."""
    empty = np.empty(0, np.int64)
    return empty if result is None else result.arrays.get("gradient.frames", empty)


def frame_at(result: Result, method: str, step: int | None) -> int | None:
    """The last frame of a method that is not after a step, or its newest one for None; None before its first.

    A method that is behind the others, or stopped, has rows of NaN from there on.
    """
    norms = result.arrays.get(f"gradient.{method}")
    known = np.empty(0, np.intp) if norms is None else np.flatnonzero(np.isfinite(norms).any(axis=1))
    if not known.size:
        return None
    last = len(frames(result)) if step is None else int(np.searchsorted(frames(result), step, side="right"))
    return int(known[max(0, np.searchsorted(known, last) - 1)])


def all_norms(result: Result | None) -> list[np.ndarray]:
    """The gradient norms of every method: colours mean the same for all of them, at every step."""
    if result is None:
        return []
    return [values for name, values in result.arrays.items() if name.startswith("gradient.") and values.ndim == 2]


# Costs.


def row_of(result: Result | None, method: str) -> Row | None:
    """The method's row of a run's table; None before there is one."""
    rows = [] if result is None else result.tables.get("methods", [])
    return next((row for row in rows if row["method"] == method), None)


def costs(plan: Plan, result: Result | None) -> tuple[MethodCost, ...]:
    """Of a run where it has any, else modelled: the two are never mixed."""
    measured = {method: row_of(result, method) for method in ORDER}
    if not any(measured.values()):
        return tuple(_modelled_cost(plan, method) for method in ORDER)
    return tuple(_measured_cost(method, row, methods_run(result)) for method, row in measured.items())


def _modelled_cost(plan: Plan, method: str) -> MethodCost:
    count, about = plan.counts[MethodId(method)], METHODS[MethodId(method)].where.in_language("en")
    split = MemorySplit(
        count.weights_bytes, count.gradients_bytes, count.optimizer_bytes, how="modelled, without activations"
    )
    return MethodCost(method, label(method), count.trainable_parameters, count.total_parameters, split, about=about)


def _measured_cost(method: str, row: Row | None, run: Sequence[str]) -> MethodCost:
    if row is None:
        about = "nothing measured yet" if method in run else "not in this run"
        return MethodCost(method, label(method), 0, 0, MemorySplit(), about=about)
    parts = {part: number(row.get(f"{part}_bytes")) for part in PARTS}
    return MethodCost(
        key=method,
        name=label(method),
        trainable=int(row["trainable_parameters"]),
        total=int(row["total_parameters"]),
        memory=MemorySplit(**parts, how=str(row.get("memory_how") or "")),
        matches=(number(row.get("exact_match_unseen")), number(row.get("exact_match_untold"))),
        error=str(row.get("error") or ""),
        about=str(row.get("where") or ""),
    )


def number(value: float | None) -> float:
    """NaN for what is not known yet."""
    return math.nan if value is None else float(value)


# Curves.


def losses(result: Result | None, chosen: str) -> list[Series]:
    """The loss of each batch; the chosen method comes first, which a narrow legend keeps, and others are faint."""
    if result is None:
        return []
    found = {method: (np.arange(1, len(values) + 1), values) for method, values in _arrays(result, "loss").items()}
    return _series(found, chosen, "line")


def held_out(result: Result | None, chosen: str) -> list[Series]:
    """The loss on held-out rows."""
    if result is None:
        return []
    steps = result.arrays.get("held_out.steps", np.empty(0, np.int64))
    found = {m: (steps[: len(v)], v[: len(steps)]) for m, v in _arrays(result, "held_out").items()}
    return _series(found, chosen, "rings")


def _arrays(result: Result, name: str) -> dict[str, np.ndarray]:
    return {m: result.arrays[f"{name}.{m}"] for m in ORDER if len(result.arrays.get(f"{name}.{m}", ()))}


def _series(points: dict[str, tuple[np.ndarray, np.ndarray]], chosen: str, style: Style) -> list[Series]:
    return [
        Series(_IN_LEGEND.get(method, label(method)), x, y, ORDER.index(method), style if method == chosen else "faint")
        for method, (x, y) in sorted(points.items(), key=lambda item: item[0] != chosen)
        if len(x)
    ]


def columns_of(rows: Sequence[Row]) -> list[str]:
    """Methods that have a column in a table."""
    return [method for method in ORDER if rows and method in rows[0]]


def _place(place_id: str, layer: int, kind: str, parameters: int) -> Place:
    return Place(place_id, _PLACE_NAMES.get(kind, kind), int(layer), kind, int(parameters))


def place_name(place_id: str) -> str:
    """A place as tables write it: 'layer 2, q_proj'."""
    parts = place_id.split(".")
    if parts[0] == "layer" and len(parts) == 3:
        return f"layer {parts[1]}, {_PLACE_NAMES.get(parts[2], parts[2])}"
    return _PLACE_NAMES.get(place_id, place_id)
