"""The key metrics of a comparison at one point: what was measured, and what the formula says."""

from __future__ import annotations

from collections.abc import Sequence

from core.contracts.result import Provenance
from core.contracts.text import tr
from core.format import format_quantity, quantity
from core.hardware.gpus import gpus
from core.hardware.noise import Verdict
from core.recordings.run import FamilyRun, Outcome, Point
from gui.pages.compare.bar_rows import verdict_text
from gui.pages.compare.shown import RUN, Shown
from gui.widgets.metric_bar import Number

Groups = list[tuple[Provenance | None, Sequence[Number]]]


def groups(shown: Shown) -> Groups:
    """One or two groups, each with its provenance."""
    source, point = shown.source(RUN), shown.point(shown.run)
    measured: list[Number] = []
    if source is not None:
        measured = [*(_timed(shown, source.run, point) if point is not None else ()), *_ceilings(source.run)]
    if source is None or not measured:
        return [(Provenance.MODELLED, [*_counts(shown), *_formula(shown)])]
    modelled = _formula(shown, brief=True)
    return [(source.run.provenance, measured), *([(Provenance.MODELLED, modelled)] if modelled else [])]


def _counts(shown: Shown) -> list[Number]:
    points, contenders = len(shown.plan.points), len(shown.plan.contenders)
    return [
        Number(str(tr("points")), f"{points:,}", str(tr("Points of the sweep, all combinations"))),
        Number(
            str(tr("implementations")),
            f"{contenders:,}",
            ", ".join(str(contender.label) for contender in shown.plan.contenders),
            short=str(tr("compared")),
        ),
    ]


def _timed(shown: Shown, run: FamilyRun, point: Point) -> list[Number]:
    numbers = []
    timed = [outcome for outcome in point.outcomes if outcome.time_ms is not None]
    if timed:
        fastest = min(timed, key=lambda outcome: outcome.time_ms or 0.0)
        equals = [outcome for outcome in timed if outcome is not fastest and _is_same(point, fastest, outcome)]
        numbers.append(_fastest(shown, run, point, fastest, equals))
    wrong = [outcome for outcome in point.outcomes if outcome.passed is False]
    checked = [outcome for outcome in point.outcomes if outcome.passed is not None]
    if checked:
        detail = ", ".join(str(shown.label(outcome.impl, outcome)) for outcome in wrong)
        detail = detail or str(tr("Every output is within three times the error of plain PyTorch in this precision."))
        value = f"{len(checked) - len(wrong)}/{len(checked)}"
        numbers.append(Number(str(tr("right results")), value, detail, "bad" if wrong else "good", str(tr("right"))))
    return numbers


def _fastest(shown: Shown, run: FamilyRun, point: Point, fastest: Outcome, equals: list[Outcome]) -> Number:
    label = shown.label(fastest.impl, fastest)
    lines = [tr("{name} has the shortest median time here.", name=label)]
    for outcome in equals:
        name = shown.label(outcome.impl, outcome)
        lines.append(tr("{name} cannot be told apart from it.", name=name))
    compared = point.difference(run.baseline, fastest.impl)
    if compared is not None and fastest.impl != run.baseline:
        lines.append(verdict_text(shown, run, compared))
    name = tr("fastest: {name}, not alone", name=label) if equals else tr("fastest: {name}", name=label)
    return Number(
        str(name), format_quantity(fastest.time_ms or 0.0, "ms"), "\n".join(map(str, lines)), short=str(tr("fastest"))
    )


def _is_same(point: Point, a: Outcome, b: Outcome) -> bool:
    compared = point.difference(a.impl, b.impl)
    return compared is not None and compared.verdict in (Verdict.SAME, Verdict.UNKNOWN)


def _ceilings(run: FamilyRun) -> list[Number]:
    shorts = {"copy": tr("copy"), "read": tr("read"), "matmul": tr("products")}
    return [
        Number(
            str(shorts.get(ceiling.id, ceiling.label)),
            format_quantity(ceiling.per_s, ceiling.unit),
            str(tr("ceiling, measured in this run: {what}", what=ceiling.label)),
        )
        for ceiling in run.ceilings
    ]


def _formula(shown: Shown, *, brief: bool = False) -> list[Number]:
    """What the operation takes; `brief` leaves only the bound, for a line that is full of measured numbers."""
    planned = shown.planned
    if planned is None or not (planned.cost.flops or planned.cost.least_bytes):
        return []
    gpu, numbers = gpus()[shown.plan.params.gpu], []
    if planned.cost.flops and not brief:
        flops = format_quantity(planned.cost.flops, "FLOPs")
        numbers.append(Number(str(tr("by the formula")), flops, str(tr("FLOPs of the operation, by its formula"))))
    if planned.cost.least_bytes and not brief:
        least = format_quantity(planned.cost.least_bytes, "bytes")
        detail = str(tr("Inputs and outputs once each: what must move at least"))
        numbers.append(Number(str(tr("must move")), least, detail))
    if planned.bound_ms is not None:
        bound = tr("at least {time} on {gpu}", time=quantity(planned.bound_ms, "ms"), gpu=gpu.name)
        value = f"≥ {format_quantity(planned.bound_ms, 'ms')}"
        numbers.append(Number(str(tr("on {gpu}", gpu=gpu.name)), value, str(bound), short=gpu.name.split()[-1]))
    return numbers
