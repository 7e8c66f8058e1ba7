"""Bars at one point of the sweep: time with its samples, and error against float64, for every run that is shown."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from core.contracts.text import Text, tr, tr_in
from core.families.family import Contender
from core.format import format_quantity, quantity
from core.hardware.gpus import gpus
from core.hardware.noise import Difference, Verdict
from core.recordings.run import Band as TimeBand
from core.recordings.run import FamilyRun, Outcome, Point, share_of_ceiling
from gui.charts import impl_rows
from gui.charts.row_chart_spec import FAINT, MUTED, TEXT, Band, Cell, Column, Ink, LegendKey, Row, RowSpec, Segment
from gui.pages.compare.shown import RUN, Shown, Source

_ERROR_TITLES = (tr("RMS error against float64"), tr("RMS error vs float64"), tr("RMS error"))
_RATIO_TITLES = (tr("to baseline"), tr("ratio"))
_SHARE = 0.75
_PLANNED = {
    "triton": (
        tr("traced, checked and compiled on any machine; timed on a GPU"),
        tr("traced anywhere, timed on a GPU"),
    ),
    "torch": (tr("checked against float64 and timed on the device"), tr("checked and timed")),
    "library": (tr("checked and timed where the library is installed"), tr("timed where it is installed")),
}


def key_of(source: str, impl: str) -> str:
    """The key of a row: whose outcome it is."""
    return f"{source}/{impl}"


def bar_rows(shown: Shown) -> RowSpec | None:
    """A band of rows for each run that has the point; before a run, what will be done with each implementation."""
    bands = [band for source in shown.sources if (band := _band(shown, source)) is not None]
    if shown.point(shown.run) is None:
        planned = tuple(_planned(contender) for contender in shown.plan.contenders)
        bands.insert(0, Band(planned, str(tr("not run yet")) if bands else ""))
    if not any(band.rows for band in bands):
        return None
    has_times = any(cell.bars for band in bands for row in band.rows for cell in row.cells)
    times, ratios = Column((str(tr("time")),), unit="ms", share=0.54, has_axis=has_times), _ratios()
    errors = Column(tuple(map(str, _ERROR_TITLES)), log=True, share=0.34, has_axis=_any_cells(bands))
    if not has_times:  # nothing has a ratio: its place is for the words that stand instead of times
        bands = [_without_ratios(band) for band in bands]
    return RowSpec(
        columns=(times, ratios, errors) if has_times else (replace(times, share=times.share + ratios.share), errors),
        bands=tuple(bands),
        legends=(_legend(has_times),) if _any_cells(bands) else (),
    )


def describe(shown: Shown, source: Source, point: Point, outcome: Outcome) -> str:
    """The read-out of one outcome: all that is known of it here."""
    lines = [impl_rows.describe(outcome)]
    compared = compared_with_baseline(source.run, point, outcome)
    if compared is not None:
        lines.append(str(verdict_text(shown, source.run, compared)))
    share = share_of_ceiling(source.run, point, outcome)
    if share is not None:
        ceiling = source.run.ceiling(share[0])
        name = share[0] if ceiling is None else ceiling.label
        lines.append(str(tr("{share:.0%} of {ceiling}, measured in the same run", share=share[1], ceiling=name)))
    if outcome.traced is not None:
        moved, distinct = quantity(outcome.traced.bytes, "bytes"), quantity(outcome.traced.unique_bytes, "bytes")
        lines.append(str(tr("traced: {moved} moved, {distinct} distinct", moved=moved, distinct=distinct)))
    if outcome.modelled is not None:
        lines.append(str(band_text(outcome.modelled)))
    if outcome.reason and outcome.runs_on != "unavailable":
        lines.append(str(outcome.reason))
    return "\n".join(lines)


def compared_with_baseline(run: FamilyRun, point: Point, outcome: Outcome) -> Difference | None:
    """Against the baseline; None for the baseline itself, and where a time is missing."""
    return None if outcome.impl == run.baseline else point.difference(run.baseline, outcome.impl)


def verdict_text(shown: Shown, run: FamilyRun, compared: Difference) -> Text:
    """How a time compares with that of the baseline, with the interval, in one sentence."""
    family = shown.plan.family
    labels = {} if family is None else {contender.id: contender.label for contender in family.contenders}
    baseline = labels.get(run.baseline, run.baseline)
    if compared.verdict is Verdict.UNKNOWN:
        return tr("Against {baseline}: {verdict}.", baseline=baseline, verdict=compared.verdict.label)
    return tr(
        "{low:.2f} to {high:.2f} times as long as {baseline}: {verdict}.",
        low=compared.low,
        high=compared.high,
        baseline=baseline,
        verdict=compared.verdict.label,
    )


def band_text(band: TimeBand) -> Text:
    """A modelled time, which is never a single number."""
    known = gpus().get(band.gpu)
    return tr(
        "modelled on {gpu}: {low} to {high}",
        gpu=band.gpu if known is None else known.name,
        low=quantity(band.low_ms, "ms", 2),
        high=quantity(band.high_ms, "ms", 2),
    )


def _ratios() -> Column:
    return Column(tuple(map(str, _RATIO_TITLES)), share=0.12, has_axis=False)


def _without_ratios(band: Band) -> Band:
    return replace(
        band, rows=tuple(replace(row, cells=(row.cells[0], *row.cells[2:])) if row.cells else row for row in band.rows)
    )


def _any_cells(bands: list[Band]) -> bool:
    return any(row.cells for band in bands for row in band.rows)


def _legend(has_times: bool) -> tuple[LegendKey, ...]:
    times = LegendKey(str(tr("median time")), Ink("series.0", _SHARE)), LegendKey(str(tr("sample")), TEXT, "dot")
    return (
        *(times if has_times else ()),
        LegendKey(str(tr("RMS error")), Ink("good"), "dot"),
        LegendKey(str(tr_in("error", "allowed")), Ink("warn"), "tick"),
    )


def _planned(contender: Contender) -> Row:
    long, short = _PLANNED[contender.kind]
    name = str(contender.label)
    details = [name, str(long), *([str(contender.note)] if contender.note else [])]
    return Row(name, read_out="\n".join(details), ink=MUTED, note=str(short))


def _band(shown: Shown, source: Source) -> Band | None:
    point = shown.point(source.run)
    if point is None:
        return None
    title = str(source.title) if len(shown.sources) > 1 or source.key != RUN else ""
    if not point.outcomes:
        name = str(tr("all implementations"))
        return Band((Row(name, read_out=str(point.problem), ink=FAINT, note=str(point.problem)),), title)
    chosen = {contender.id for contender in shown.plan.contenders}
    kept = [outcome for outcome in point.outcomes if outcome.impl in chosen]
    if source.key != RUN:
        kept = [outcome for outcome in kept if outcome.runs_on != "unavailable"]
    rows = tuple(_row(shown, source, point, outcome) for outcome in kept)
    return Band(rows, title) if rows else None


def _row(shown: Shown, source: Source, point: Point, outcome: Outcome) -> Row:
    name, key = str(shown.label(outcome.impl, outcome)), key_of(source.key, outcome.impl)
    read_out = describe(shown, source, point, outcome)
    if outcome.runs_on == "unavailable":
        return Row(name, read_out=read_out, key=key, ink=FAINT, note=str(outcome.reason))
    cells = _time_cell(shown, outcome), _ratio_cell(source.run, point, outcome), _error_cell(outcome)
    return Row(name, cells, read_out, key, suffix="CPU" if outcome.runs_on == "cpu" else "")


def _time_cell(shown: Shown, outcome: Outcome) -> Cell:
    if outcome.time_ms is not None:
        ink = Ink(f"series.{shown.colour(outcome.impl)}", _SHARE)
        time = format_quantity(outcome.time_ms, "ms")
        return Cell(((Segment(outcome.time_ms, ink),),), samples=outcome.time_ms_samples, texts=(time,))
    if outcome.passed is False:
        wrong = (tr("wrong result: no time"), tr("wrong"))
        texts = wrong if outcome.reason else (tr("not accurate enough: no time"), tr("inaccurate"))
        return Cell(texts=tuple(map(str, texts)), text_ink=Ink("bad"))
    if outcome.modelled is not None:
        band = outcome.modelled
        low, high = quantity(band.low_ms, "ms", 2), quantity(band.high_ms, "ms", 2)
        short = tr("modelled {low} to {high}", low=low, high=high)
        # Bands are those of distinct bytes: two kernels with the same band may still move different amounts.
        moved = () if outcome.traced is None else _with_bytes((band_text(band), short), outcome.traced.bytes)
        return Cell(texts=(*moved, str(short), str(tr("no time"))), text_ink=MUTED)
    return Cell(texts=(str(tr("no time")),), text_ink=MUTED)


def _with_bytes(wordings: tuple[Text, ...], moved_bytes: int) -> Iterator[str]:
    """The longest wording first, as a cell wants them."""
    moved = quantity(moved_bytes, "bytes")
    for wording in wordings:
        yield str(tr("{time}; {bytes} moved", time=wording, bytes=moved))
    yield str(tr("{time}; {bytes}", time=wordings[-1], bytes=moved))


def _ratio_cell(run: FamilyRun, point: Point, outcome: Outcome) -> Cell:
    """How many times as long as the baseline it takes; its colour says whether that is more than noise. '≈' where it
    cannot be told apart, and '?' where there are too few samples to tell: the ratio may be large all the same."""
    if outcome.time_ms is None:
        return Cell()
    compared = compared_with_baseline(run, point, outcome)
    if compared is None or not math.isfinite(compared.ratio):
        return Cell(texts=("1×",) if outcome.impl == run.baseline else (), text_ink=FAINT)
    ratio = format_quantity(compared.ratio, "x", 2)
    match compared.verdict:
        case Verdict.SAME:
            return Cell(texts=("≈",), text_ink=MUTED)
        case Verdict.UNKNOWN:
            return Cell(texts=(f"{ratio} ?", "?"), text_ink=MUTED)
        case Verdict.SLOWER:
            return Cell(texts=(ratio,), text_ink=Ink("bad"))
        case Verdict.FASTER:
            return Cell(texts=(ratio,), text_ink=Ink("good"))


def _error_cell(outcome: Outcome) -> Cell:
    """The error on a stem, and its limit."""
    if outcome.rms_error is None or not math.isfinite(outcome.rms_error):
        return Cell()
    limit = math.nan if outcome.allowed_rms_error is None else outcome.allowed_rms_error
    return Cell(mark=outcome.rms_error, ink=Ink("bad" if outcome.passed is False else "good"), limit=limit)
