"""The table of outcomes: one row per point and implementation, before the run too."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from core.contracts.text import Text, tr
from core.format import format_quantity, quantity
from core.hardware.noise import Verdict
from core.recordings.run import FamilyRun, Outcome, Point, share_of_ceiling
from gui.pages.compare.shown import Shown, point_title
from gui.widgets.record_model import Column

_NOT_RUN = tr("not run yet")


@dataclass(frozen=True)
class OutcomeRow:
    """One implementation at one point of the plan; `run`, `point` and `outcome` are None before it was run."""

    index: int
    title: str
    impl: str
    label: Text
    flops: float
    least_bytes: float
    run: FamilyRun | None = None
    point: Point | None = None
    outcome: Outcome | None = None

    @cached_property
    def verdict(self) -> Verdict | None:
        """Against the baseline; None for the baseline itself and where a time is missing."""
        if self.run is None or self.point is None or self.impl == self.run.baseline:
            return None
        compared = self.point.difference(self.run.baseline, self.impl)
        return None if compared is None else compared.verdict

    @property
    def share(self) -> float | None:
        if self.run is None or self.point is None or self.outcome is None:
            return None
        share = share_of_ceiling(self.run, self.point, self.outcome)
        return None if share is None else 100 * share[1]

    @property
    def remark(self) -> Text | None:
        """Why there is no time, or that it was not run yet."""
        if self.outcome is None:
            return _NOT_RUN if self.point is None else self.point.problem or None
        if self.outcome.reason:
            return self.outcome.reason
        if self.outcome.passed is False:
            return tr("not accurate enough: its error is above what is allowed")
        return tr("emulated: no time") if self.outcome.runs_on == "emulated" else None

    @property
    def tone(self) -> str:
        if self.outcome is None:
            return "faint"
        return "bad" if self.outcome.passed is False or self.outcome.out_of_memory else ""


def outcome_rows(shown: Shown) -> Iterator[OutcomeRow]:
    """In the order of the sweep."""
    for index, planned in enumerate(shown.plan.points):
        point = None if shown.run is None else shown.run.point(planned.case)
        title = point_title(shown.plan, planned.case)
        flops = planned.cost.flops if point is None else point.flops
        least = planned.cost.least_bytes if point is None else point.least_bytes
        for contender in shown.plan.contenders:
            outcome = None if point is None else point.outcome(contender.id)
            yield OutcomeRow(index, title, contender.id, contender.label, flops, least, shown.run, point, outcome)


def _moved(row: OutcomeRow) -> int | None:
    return None if row.outcome is None or row.outcome.traced is None else row.outcome.traced.bytes


def _distinct(row: OutcomeRow) -> int | None:
    return None if row.outcome is None or row.outcome.traced is None else row.outcome.traced.unique_bytes


def _products(row: OutcomeRow) -> int | None:
    return None if row.outcome is None or row.outcome.traced is None else row.outcome.traced.product_flops or None


def _band(row: OutcomeRow) -> Text | None:
    band = None if row.outcome is None else row.outcome.modelled
    if band is None:
        return None
    return tr("{low} to {high}", low=quantity(band.low_ms, "ms", 2), high=quantity(band.high_ms, "ms", 2))


def _band_low(row: OutcomeRow) -> float:
    return math.inf if row.outcome is None or row.outcome.modelled is None else row.outcome.modelled.low_ms


def _time(row: OutcomeRow) -> float | None:
    return None if row.outcome is None else row.outcome.time_ms


def _error(row: OutcomeRow) -> float | None:
    return None if row.outcome is None else row.outcome.rms_error


COLUMNS: tuple[Column[OutcomeRow], ...] = (
    Column("case", tr("Point"), tr("The swept values"), lambda row: row.title, number=False,
           order=lambda row: row.index),
    Column("impl", tr("Implementation"), tr("The implementation"), lambda row: row.label, number=False,
           order=lambda row: str(row.label)),
    Column("time", tr("Time"), tr("Median of the samples"), _time, lambda value: format_quantity(value, "ms"),
           unit="ms"),
    Column("verdict", tr("Verdict"), tr("Against the baseline, beyond noise"),
           lambda row: None if row.verdict is None else row.verdict.label, number=False,
           order=lambda row: str(row.verdict)),
    Column("error", tr("Error"), tr("RMS error against float64"), _error, lambda value: f"{value:.2e}",
           tone=lambda row: row.tone),
    Column("share", tr("Ceiling"), tr("Share of copy or matrix product, measured in the same run"),
           lambda row: row.share, lambda value: format_quantity(value, "%"), unit="%"),
    Column("moved", tr("Bytes"), tr("Bytes that the Triton kernels read and write, before any cache; traced"), _moved,
           lambda value: format_quantity(value, "bytes"), unit="bytes"),
    Column("distinct", tr("Distinct"), tr("Distinct bytes of the Triton launches, traced: what a perfect cache moves"),
           _distinct, lambda value: format_quantity(value, "bytes"), unit="bytes"),
    Column("products", tr("Products"), tr("FLOPs of the matrix products, traced, whole tiles included"), _products,
           lambda value: format_quantity(value, "FLOPs"), unit="FLOPs"),
    Column("band", tr("Modelled"), tr("Modelled time on the GPU of the form: a band, never a single number"), _band,
           number=False, order=_band_low),
    Column("formula", tr("FLOPs"), tr("FLOPs by the formula"), lambda row: row.flops or None,
           lambda value: format_quantity(value, "FLOPs"), unit="FLOPs"),
    Column("remark", tr("Remark"), tr("Why there is no time"), lambda row: row.remark, number=False,
           order=lambda row: str(row.remark), tone=lambda row: row.tone, stretch=True),
)  # fmt: skip
