"""The texts of a plan as rows to pick from, and which parameters a click on a token stands for."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.contracts.result import Result
from core.format import format_quantity
from core.topics.decoder.model import Node, Plan
from core.topics.decoder.params import DECODER_ONLY, NOTHING, SOURCE, TARGET, DecoderParams
from gui.pages.decoder.token_strip import StripCell, StripRow

EXACT_ZERO = "0, exactly"


def end_of(plan: Plan) -> str:
    """The tensor that comes out: the block's output, or an encoder's memory."""
    return "output" if plan.params.has_decoder else "memory"


def stack_of(node: Node) -> str:
    """Whose positions a tensor's rows are, 'source' or 'target': K and V of cross-attention are the memory's."""
    return "source" if node.stack == "encoder" or node.id in ("decoder.cross.k", "decoder.cross.v") else "target"


def labels_of(plan: Plan, stack: str) -> tuple[str, ...]:
    text = plan.inputs.source if stack == "source" else plan.inputs.target
    return () if text is None else text.labels


def token_clicked(plan: Plan, stack: str, position: int) -> DecoderParams | None:
    """The parameters that change that token, or nothing where it is changed already; None where it cannot be."""
    params, now = plan.params, plan.perturbation
    if now is not None and (now.stack, now.position) == (stack, position):
        return params.changed(perturb=NOTHING)
    where, at = (TARGET if stack == "target" else SOURCE), position
    if params.kind == DECODER_ONLY:
        where = TARGET if position >= plan.inputs.target_start else SOURCE
        at = position - (plan.inputs.target_start if where == TARGET else 0)
    elif where == SOURCE and position >= plan.inputs.source_visible:
        return None
    return params.changed(perturb=where, position=at)


def influence_of(plan: Plan, result: Result | None) -> np.ndarray | None:
    """Largest change of what comes out at each position by the plan's change, from the table of all changes."""
    what = plan.perturbation
    if what is None or result is None or f"influence.{what.stack}" not in result.arrays:
        return None
    changes: np.ndarray = result.arrays[f"influence.{what.stack}"][what.position]
    return changes


def strip_rows(plan: Plan, tensors: Result | None, changes: Result | None) -> tuple[StripRow, ...]:
    """Source, target, and the change of what comes out: measured by this very run, else from its table, else by masks.

    `tensors` is a run on the same texts and weights, `changes` the same with the same token changed.
    """
    rows = [
        StripRow(stack, _title(plan, stack), _tokens(plan, stack), about="Click a token to replace it by <other>.")
        for stack in ("source", "target")
        if labels_of(plan, stack)
    ]
    end = end_of(plan)
    moved = changes.arrays.get(f"change.{end}") if changes is not None else influence_of(plan, tensors)
    stack = stack_of(plan.flow.node(end))
    cells = _changes(plan, stack, moved, tensors)
    about = "The largest absolute change of the output at each position: 0, exactly, where every float is equal."
    name = "Output change" if end == "output" else "Memory change"
    return (*rows, StripRow("", name, cells, about=about, follows=stack))


def _title(plan: Plan, stack: str) -> str:
    only = plan.params.kind == DECODER_ONLY
    return "Text" if only else stack.capitalize()


def _tokens(plan: Plan, stack: str) -> tuple[StripCell, ...]:
    cells, changed = [], plan.perturbation
    for position, label in enumerate(labels_of(plan, stack)):
        pad = stack == "source" and position >= plan.inputs.source_visible
        here = changed is not None and (changed.stack, changed.position) == (stack, position)
        if pad:
            does = "a pad: the masks hide it"
        elif here:
            does = "replaced by <other>: click to put it back"
        else:
            does = "click to replace it by <other> and see what changes"
        tip = f"{stack} {position} {label!r}\n{does}"
        cells.append(StripCell(label, tip, amount=1.0 if here else None, struck=here, quiet=pad))
    return tuple(cells)


def _changes(plan: Plan, stack: str, moved: np.ndarray | None, result: Result | None) -> tuple[StripCell, ...]:
    labels, end = labels_of(plan, stack), end_of(plan)
    written = predictions(result)
    if plan.perturbation is None:
        return tuple(
            StripCell("·", f"{end} {i} {label!r}\nno token is changed{written.get(i, '')}", quiet=True)
            for i, label in enumerate(labels)
        )
    if moved is None:
        reach = plan.reach[end]
        said = {True: ("may change", "may"), False: ("cannot", "–")}
        return tuple(
            StripCell(
                said[can][0],
                f"{end} {i} {label!r}\n{'within' if can else 'out of'} reach of the change, by the masks (modelled)",
                amount=1.0 if can else 0.0, sure=False, short=said[can][1],
            )
            for i, (label, can) in enumerate(zip(labels, reach.tolist(), strict=True))
        )  # fmt: skip
    top = float(moved.max(initial=0)) or 1.0
    return tuple(
        StripCell(
            format_quantity(change) if change else EXACT_ZERO,
            f"{end} {i} {label!r}\nlargest change {f'{change:.6g}' if change else EXACT_ZERO}{written.get(i, '')}",
            amount=change / top, short="" if change else "0",
        )
        for i, (label, change) in enumerate(zip(labels, moved.tolist(), strict=True))
    )  # fmt: skip


def predictions(result: Result | None) -> dict[int, str]:
    """By position, what the model would write next, as a line of a read-out."""
    rows: list[dict[str, Any]] = [] if result is None else result.tables.get("predictions", [])
    return {
        row["position"]: f"\nwrites next {row['predicted']!r} with probability {row['probability']:.4g}" for row in rows
    }
