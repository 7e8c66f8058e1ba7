"""Batches: the side of the padding, and micro-batches whose targets differ in number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.chat.doctor.census import Census
from core.chat.doctor.failures import NEEDS_DATA, Complaint, Failure, Group
from core.chat.doctor.findings import Evidence
from core.chat.doctor.patient import Patient
from core.chat.packing import UNCUT, Packing, pack
from core.contracts.text import Text, quoted, tr

PADDING_SIDE = Failure(
    id="padding-side",
    label=tr("Padding is on the left"),
    explanation=tr(
        "Padding on the left is right for generation. In training, positions that are counted from the beginning of "
        "the row shift with the longest row of the batch, and a mask that counts the tokens of the prompt lands on "
        "the padding."
    ),
    repair=tr(
        "Set {setting} for training, or give position ids that are counted from the attention mask.",
        setting="padding_side='right'",
    ),
    healthy=tr("Padding is on the right: each row begins at position 0."),
)
UNEQUAL = Failure(
    id="unequal-target-counts",
    label=tr("Micro-batches with unequal numbers of targets are averaged"),
    explanation=tr(
        "The mean of the means of micro-batches is not the mean over all targets: a target in a micro-batch with few "
        "of them counts more. The loss looks right, and the gradients differ from those of one large batch."
    ),
    repair=tr(
        "Divide the summed loss by the number of targets of all micro-batches of the step; transformers does so if the "
        "model takes {argument}.",
        argument="num_items_in_batch",
    ),
    healthy=tr("Every target of a step counts alike."),
)

_TOLERANCE = 1e-3
"""A difference of the losses, as a share of what it should be, from which a step counts as wrong."""


@dataclass(frozen=True)
class Steps:
    """The losses of the steps of the optimizer, in nats per target: `expected` over all targets of the step, `actual`
    as the mean of the micro-batches' means. `targets` int64 [steps, micro-batches]."""

    expected: NDArray[np.float64]
    actual: NDArray[np.float64]
    targets: NDArray[np.int64]


def steps_of(patient: Patient, census: Census) -> Steps:
    """The complete steps of one epoch in the order of the data; fewer rows than one step needs are one step.

    A micro-batch without targets adds a loss of 0.
    """
    setup = patient.setup
    targets, losses = census.targets, census.losses
    if setup.packing == "bfd" and setup.max_length is not None:
        packing = pack(census.lengths.astype(np.int32), setup.max_length, setup.packing)
        targets = _per_row(packing, targets).astype(np.int64)
        losses = _per_row(packing, losses)
    accumulated = min(setup.gradient_accumulation, -(-len(targets) // setup.batch_size))
    steps = max(1, len(targets) // (setup.batch_size * accumulated)) if len(targets) else 0
    shape = (steps, accumulated, setup.batch_size)
    counts, sums = _fitted(targets, shape).sum(axis=2), _fitted(losses, shape).sum(axis=2)
    means = sums / np.maximum(counts, 1)
    return Steps(sums.sum(axis=1) / np.maximum(counts.sum(axis=1), 1), means.mean(axis=1), counts)


def _per_row(packing: Packing, values: NDArray[Any]) -> NDArray[np.float64]:
    """Values of conversations, added up per row."""
    return np.bincount(packing.row, values[packing.document], packing.rows).astype(np.float64)


def _fitted(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The first values in that shape, filled up with zeros."""
    size = math.prod(shape)
    return np.pad(values[:size], (0, max(0, size - len(values)))).reshape(shape)


def in_template(patient: Patient) -> Iterator[Complaint]:
    setup = patient.setup
    if setup.packing == "none" and setup.batch_size > 1 and patient.padding_side == "left":
        pad = patient.pad or "<pad>"
        note = tr("A row that is three tokens shorter than the longest of its batch: its text begins at position 3.")
        yield Complaint(
            PADDING_SIDE.id,
            tr("Rows are padded with {token} on the left.", token=quoted(pad)),
            (Evidence(note, pad * 3, 0, 3, (pad,) * 3, (False,) * 3),),
        )


def in_data(patient: Patient, census: Census) -> Iterator[Complaint]:
    setup = patient.setup
    if not len(census) or UNEQUAL.id in not_applicable(patient, True) or setup.loss_mean_over == "targets":
        return
    steps = steps_of(patient, census)
    if not len(steps.expected):
        return
    error = np.abs(steps.actual - steps.expected) / np.maximum(steps.expected, 1e-9)
    worst = int(error.argmax())
    if error[worst] < _TOLERANCE:
        return
    counts = steps.targets[worst]
    yield Complaint(
        UNEQUAL.id,
        tr(
            "The loss of step {step:,} should be {expected:.4f} nats per target and is {actual:.4f}. Over all steps, "
            "the two differ by {mean:.1%} on average.",
            step=worst + 1,
            expected=float(steps.expected[worst]),
            actual=float(steps.actual[worst]),
            mean=float(error.mean()),
        ),
        (
            Evidence(
                tr(
                    "Its micro-batches have {fewest:,} to {most:,} targets: one target counts up to {times:.1f} times "
                    "as much as another.",
                    fewest=int(counts.min()),
                    most=int(counts.max()),
                    times=float(counts.max() / max(1, counts.min())),
                ),
            ),
        ),
    )


def not_applicable(patient: Patient, has_data: bool) -> Mapping[str, Text]:
    setup = patient.setup
    reasons = {}
    if setup.packing != "none" or setup.batch_size == 1:
        reasons[PADDING_SIDE.id] = tr("No row is padded.")
    if setup.gradient_accumulation == 1:
        reasons[UNEQUAL.id] = tr("Gradients are not accumulated.")
    elif setup.packing in UNCUT:
        reasons[UNEQUAL.id] = tr("This packing cuts conversations: the targets of its rows are not counted.")
    elif not has_data and setup.loss_mean_over == "micro_batch":
        reasons[UNEQUAL.id] = NEEDS_DATA
    return reasons


GROUP = Group(
    id="batches",
    label=tr("Batches"),
    failures=(PADDING_SIDE, UNEQUAL),
    in_template=in_template,
    in_data=in_data,
    not_applicable=not_applicable,
)
