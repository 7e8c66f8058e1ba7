"""The numbers across the top of the page: what the chosen method moves, and what came of it."""

from __future__ import annotations

import math

from core.contracts.result import Provenance, Result, Row
from core.format import format_quantity
from core.topics.fine_tuning.methods import METHODS, MethodId
from core.topics.fine_tuning.model.plan import Plan
from gui.pages.fine_tuning import view_data
from gui.widgets.metric_bar import Number

Groups = list[tuple[Provenance, list[Number]]]


def groups(plan: Plan, result: Result | None, method: str) -> Groups:
    """Of a run where it has a row of that method, else what follows from shapes."""
    row = view_data.row_of(result, method)
    if row is None or result is None:
        return [(Provenance.MODELLED, _planned(plan, method))]
    return [(view_data.provenance(result), [*_moves(row, view_data.label(method)), *_outcome(row)])]


def _planned(plan: Plan, method: str) -> list[Number]:
    count, name = plan.counts[MethodId(method)], view_data.label(method)
    where = METHODS[MethodId(method)].where.in_language("en")
    base = plan.base_parameters
    state = count.gradients_bytes + count.optimizer_bytes
    return [
        Number(f"train with {name}", f"{count.trainable_parameters:,}", where),
        Number("of all parameters", _percent(count.share), f"{count.total_parameters:,} with what the method adds"),
        Number("parameters of the model stay", f"{base if method != 'full' else 0:,}", f"of {base:,}, frozen"),
        Number("gradients and optimizer", format_quantity(state, "bytes"), "float32, AdamW; modelled"),
    ]


def _moves(row: Row, name: str) -> list[Number]:
    parts = [
        view_data.number(row.get(f"{part}_bytes")) for part in ("weights", "gradients", "optimizer", "activations")
    ]
    known = sum(value for value in parts if math.isfinite(value))
    total, share = row["total_parameters"], view_data.number(row.get("share"))
    return [
        Number(f"train with {name}", f"{row['trainable_parameters']:,}", str(row.get("where") or "")),
        Number("of all", _percent(share), f"of {total:,}"),
        Number("memory a step", format_quantity(known, "bytes") if known else "—", str(row.get("memory_how") or "")),
    ]


def _outcome(row: Row) -> list[Number]:
    loss, unseen, untold, speed = (
        view_data.number(row.get(name))
        for name in ("held_out_loss", "exact_match_unseen", "exact_match_untold", "steps_per_s")
    )
    numbers = [
        Number("held-out loss", format_quantity(loss, "nats"), "Nats a token, on rows of people not in the training"),
        Number(
            "exact, unseen",
            _percent(unseen),
            "Of people not in the training: answers that are the wanted sentence, letter by letter",
        ),
        Number("exact, untold", _percent(untold), "Facts that were in no text at all: they have to be copied"),
        Number("steps/s", format_quantity(speed), "On this machine, evaluation left out"),
    ]
    error = str(row.get("error") or "")
    return [*numbers, Number("stopped early", "!", error, "bad")] if error else numbers


def _percent(share: float) -> str:
    return "—" if math.isnan(share) else format_quantity(100 * share, "%")
