"""The curves over the sweep: what each picture draws of the run, of the run pinned as A, and of recordings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from core.contracts.result import Provenance
from core.contracts.text import EMPTY, Text, listed, tr
from core.families.axes import Value
from core.format import quantity
from core.hardware.gpus import gpus
from core.recordings.band import LEAST_SHARE
from core.recordings.run import FamilyRun, Outcome, Point, share_of_ceiling
from gui.charts.series import Series, Style
from gui.pages.compare.shown import PINNED, RUN, Shown, Source, along, first_axis

_STYLES: dict[str, Style] = {RUN: "rings", PINNED: "faint"}
_SAME = 0.01
"""Bands that differ by less are drawn on top of each other."""
Read = Callable[[FamilyRun, Point, Outcome], float | None]


@dataclass(frozen=True)
class Curves:
    """The series of one picture, the provenance of its numbers, and a sentence below it."""

    series: tuple[Series, ...] = ()
    provenance: Provenance | None = None
    note: Text = EMPTY


def time_curves(shown: Shown) -> Curves:
    """Median times of what passed its check."""
    return _measured(shown, lambda _run, _point, outcome: outcome.time_ms)


def error_curves(shown: Shown) -> Curves:
    """RMS errors against float64 of every output, wrong ones too, with what is allowed."""
    curves = _measured(shown, lambda _run, _point, outcome: outcome.rms_error or None)
    allowed = _allowed(shown)
    return Curves((*curves.series, *allowed), curves.provenance) if curves.series else curves


def share_curves(shown: Shown) -> Curves:
    """Shares of the ceiling that is nearest, measured in the same run."""
    return _measured(shown, _share)


def byte_curves(shown: Shown) -> Curves:
    """What the Triton kernels move, traced: distinct bytes as rings, all bytes before any cache as thin lines."""
    run, lines = shown.run, [_formula(shown, tr("inputs and outputs once"), lambda planned: planned.cost.least_bytes)]
    if run is None:
        return Curves(tuple(line for line in lines if line is not None), Provenance.MODELLED)
    traced: list[Series | None] = []
    for impl in _impls(shown, run):
        distinct = _line(shown, run, impl, lambda _r, _p, o: None if o.traced is None else o.traced.unique_bytes)
        moved = _line(shown, run, impl, lambda _r, _p, o: None if o.traced is None else o.traced.bytes)
        name, ink = _name(shown, run, impl), shown.colour(impl)
        traced.append(distinct and Series(str(tr("{name}, distinct", name=name)), *distinct, ink, "rings"))
        traced.append(moved and Series(str(tr("{name}, before any cache", name=name)), *moved, ink, "faint"))
    known = [line for line in (*traced, *lines) if line is not None]
    return Curves(tuple(known), Provenance.TRACED if any(traced) else Provenance.MODELLED)


def modelled_curves(shown: Shown) -> Curves:
    """Bands for the Triton kernels, and the roofline's bound by the formula, on the GPU of the form."""
    gpu = gpus()[shown.plan.params.gpu]
    bound = _formula(shown, tr("bound of the roofline"), lambda planned: planned.bound_ms)
    series = [] if bound is None else [bound]
    run = shown.run
    for impl in () if run is None else _impls(shown, run):
        assert run is not None
        low = _line(shown, run, impl, lambda _r, _p, o: None if o.modelled is None else o.modelled.low_ms)
        high = _line(shown, run, impl, lambda _r, _p, o: None if o.modelled is None else o.modelled.high_ms)
        if low is not None and high is not None:
            name = str(_name(shown, run, impl))
            series.append(Series(name, *low, shown.colour(impl), upper=high[1]))
    note = tr(
        "{gpu}, not run: bands assume {low:.0%} to {high:.0%} of its peak.", gpu=gpu.name, low=LEAST_SHARE, high=1.0
    )
    if len(series) > 1 and bands_coincide(series):
        note = tr("{gpu}, not run: the bands coincide. Bytes shows what differs.", gpu=gpu.name)
    return Curves(tuple(series), Provenance.MODELLED if series else None, note)


def bands_coincide(series: Sequence[Series]) -> bool:
    """Whether two bands or more are all the same, so that only the last one can be seen."""
    bands = [one for one in series if one.upper is not None]
    first = bands[0] if bands else None
    return len(bands) > 1 and all(
        np.array_equal(first.x, band.x) and np.allclose(first.y, band.y, rtol=_SAME, atol=0, equal_nan=True)
        for band in bands[1:]
        if first is not None
    )


def beside(shown: Shown) -> Text:
    """Which lines are not of this run; empty if all are."""
    pinned = [source.title for source in shown.sources if source.key == PINNED]
    recorded = [source.title for source in shown.sources if source.provenance is Provenance.RECORDED]
    if pinned and recorded:
        return tr("thin: {pinned}; dashed: {recorded}", pinned=pinned[0], recorded=listed(recorded))
    if pinned:
        return tr("thin: {pinned}", pinned=pinned[0])
    return tr("dashed: {recorded}", recorded=listed(recorded)) if recorded else EMPTY


def x_of(values: tuple[Value, ...], value: Value) -> float:
    """Where a value is on the axis: itself if all are numbers above zero, else its place in the sweep, from 1."""
    if all(isinstance(each, int) and each > 0 for each in values):
        return float(value)
    return 1.0 + values.index(value) if value in values else math.nan


def x_values(shown: Shown) -> tuple[Value, ...]:
    """The values of the first axis as the cases have them, in the order of the sweep."""
    axis = first_axis(shown.plan)
    if axis is None:
        return ()
    return tuple(dict.fromkeys(planned.case[axis.name] for planned in shown.plan.points))


def x_name(shown: Shown) -> Text:
    """What the x axis says: for values without a scale, which is where."""
    axis, values = first_axis(shown.plan), x_values(shown)
    if axis is None:
        return EMPTY
    if all(isinstance(value, int) and value > 0 for value in values):
        return axis.label
    named = [f"{place} = {axis.choice_label(value)}" for place, value in enumerate(values, 1)]
    return tr("{axis}: {values}", axis=axis.label, values=listed(named))


def read_out(shown: Shown, series: Sequence[Series], unit: str, x: float) -> str | None:
    """What every series has at the value of the sweep that is nearest to `x`: nothing was run between them."""
    axis, values = first_axis(shown.plan), x_values(shown)
    if axis is None or not values:
        return None
    places = [x_of(values, value) for value in values]
    nearest = min(range(len(places)), key=lambda index: abs(math.log(places[index] / x)))
    lines = [str(tr("{axis} = {value}", axis=axis.label, value=axis.choice_label(values[nearest])))]
    for one in series:
        for index in np.flatnonzero((one.x == places[nearest]) & np.isfinite(one.y)):
            low, high = one.y[index], None if one.upper is None else one.upper[index]
            value = quantity(float(low), unit)
            if high is not None:
                value = tr("{low} to {high}", low=value, high=quantity(float(high), unit))
            lines.append(str(tr("{name}: {value}", name=one.name, value=value)))
    return "\n".join(lines)


def _measured(shown: Shown, read: Read) -> Curves:
    lines = [(source, line) for source in shown.sources for line in _lines(shown, source, read)]
    return Curves(tuple(line for _, line in lines), lines[0][0].provenance if lines else None)


def _lines(shown: Shown, source: Source, read: Read) -> Iterator[Series]:
    for impl in _impls(shown, source.run):
        points = _line(shown, source.run, impl, read)
        if points is not None:
            name = _name(shown, source.run, impl)
            is_run = source.key == RUN
            label = name if is_run else tr("{name}, {source}", name=name, source=source.title)
            style = _STYLES.get(source.key, "dashed")
            yield Series(str(label), *points, shown.colour(impl), style, in_legend=is_run or shown.run is None)


def _line(shown: Shown, run: FamilyRun, impl: str, read: Read) -> tuple[np.ndarray, np.ndarray] | None:
    """x and y of one implementation along the first axis; None where it has no value at all."""
    axis, values = first_axis(shown.plan), x_values(shown)
    if axis is None:
        return None
    places: dict[float, float] = {}
    for point in along(shown, run, axis):
        outcome = point.outcome(impl)
        value = None if outcome is None else read(run, point, outcome)
        place = x_of(values, point.case[axis.name])
        if math.isfinite(place):
            places[place] = math.nan if value is None else float(value)
    x = np.array(sorted(places))
    y = np.array([places[place] for place in x])
    return (x, y) if np.isfinite(y).any() else None


def _formula(shown: Shown, name: Text, read: Callable[..., float | None]) -> Series | None:
    """A dashed line of what the plan knows; None without a formula."""
    axis, chosen, values = first_axis(shown.plan), shown.planned, x_values(shown)
    if axis is None or chosen is None:
        return None
    fixed = [other.name for other, _ in shown.plan.swept if other is not axis]
    places = {
        x_of(values, planned.case[axis.name]): read(planned) or math.nan
        for planned in shown.plan.points
        if all(planned.case[name] == chosen.case[name] for name in fixed)
    }
    x = np.array(sorted(places))
    y = np.array([places[place] for place in x], dtype=np.float64)
    if not np.isfinite(y).any():
        return None
    return Series(str(name), x, y, shown.colour(""), "dashed")


def _allowed(shown: Shown) -> list[Series]:
    """What is allowed in the run: a multiple of PyTorch's own error, the same for all implementations of a point."""
    run = shown.run
    lines = [] if run is None else [_line(shown, run, impl, _limit) for impl in _impls(shown, run)]
    known = [line for line in lines if line is not None]
    if not known:
        return []
    x, y = max(known, key=lambda line: int(np.isfinite(line[1]).sum()))
    return [Series(str(tr("allowed error")), x, y, shown.colour(""), "dashed")]


def _limit(_run: FamilyRun, _point: Point, outcome: Outcome) -> float | None:
    return outcome.allowed_rms_error or None


def _share(run: FamilyRun, point: Point, outcome: Outcome) -> float | None:
    share = share_of_ceiling(run, point, outcome)
    return None if share is None else 100 * share[1]


def _impls(shown: Shown, run: FamilyRun) -> list[str]:
    """The implementations of a run that the plan has chosen, in its order."""
    there = set(run.impls)
    return [contender.id for contender in shown.plan.contenders if contender.id in there]


def _name(shown: Shown, run: FamilyRun, impl: str) -> Text | str:
    outcome = next((outcome for _, outcome in run.series(impl)), None)
    return impl if outcome is None else shown.label(impl, outcome)
