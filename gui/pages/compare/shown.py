"""What the page shows together: the plan, the run of its parameters, the run pinned as A, and recordings beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.contracts.result import Provenance
from core.contracts.text import Text, tr, tr_plural, verbatim
from core.families.axes import Axis, Case, case_text
from core.recordings.run import FamilyRun, Outcome, Point
from core.topics.compare.plan import Plan, PlannedPoint

RUN, PINNED = "run", "a"
MOST_RECORDED = 3
"""Recorded runs that are drawn beside the run, the newest first; the table lists all."""


@dataclass(frozen=True)
class Source:
    """One run that is drawn. `key` is RUN, PINNED, or the place of a recording among those that fit."""

    key: str
    run: FamilyRun
    title: Text

    @property
    def provenance(self) -> Provenance:
        """That of its times; of its errors where the TTIR interpreter executed everything."""
        if self.key not in (RUN, PINNED):
            return Provenance.RECORDED
        ran_on = {outcome.runs_on for point in self.run.points for outcome in point.outcomes} - {"unavailable"}
        return Provenance.TRACED if ran_on == {"emulated"} else self.run.provenance


@dataclass(frozen=True)
class Shown:
    """`run` is that of the plan's parameters, None before it; `index` is the point of the plan that is looked at."""

    plan: Plan
    run: FamilyRun | None
    pinned: FamilyRun | None
    index: int

    @property
    def planned(self) -> PlannedPoint | None:
        """The point that is looked at; None without a plan."""
        return self.plan.points[self.index] if self.plan.points else None

    @property
    def sources(self) -> tuple[Source, ...]:
        """The run, the pinned one, and the recordings of the same family."""
        found = [] if self.run is None else [Source(RUN, self.run, tr("this run"))]
        if self.pinned is not None and self.pinned is not self.run and self.pinned.subject == self.plan.subject:
            found.append(Source(PINNED, self.pinned, tr("A, {when}", when=moment(self.pinned))))
        for number, run in enumerate(self.plan.overlays[:MOST_RECORDED]):
            title = tr("recorded on {device}, {when}", device=run.device.label, when=moment(run))
            found.append(Source(str(number), run, title))
        return tuple(found)

    def source(self, key: str) -> Source | None:
        return next((source for source in self.sources if source.key == key), None)

    def point(self, run: FamilyRun | None) -> Point | None:
        """The point of a run at the case that is looked at."""
        planned = self.planned
        return None if run is None or planned is None else run.point(planned.case)

    def colour(self, impl: str) -> int:
        """The index of an implementation's colour, the same in every picture."""
        family = self.plan.family
        known = [] if family is None else [contender.id for contender in family.contenders]
        return known.index(impl) if impl in known else len(known)

    def label(self, impl: str, outcome: Outcome) -> Text:
        """What the implementation is called: recordings keep the name in the language of then."""
        family = self.plan.family
        known = {} if family is None else {contender.id: contender.label for contender in family.contenders}
        return known.get(impl, outcome.label)


def moment(run: FamilyRun) -> str:
    """The day and minute of a run, UTC."""
    return run.recorded_at[:16].replace("T", " ")


def first_axis(plan: Plan) -> Axis | None:
    """The axis of the curves: the first that is swept."""
    return plan.swept[0][0] if plan.swept else None


def point_title(plan: Plan, case: Case) -> str:
    """The swept values of a point, or all values where nothing is swept."""
    names = [axis.name for axis, _ in plan.swept]
    return case_text({name: case[name] for name in names} if names else case)


def parameter_help(plan: Plan) -> str:
    """One line per parameter of the family, by the name that the form takes."""
    return "\n".join(f"{axis.name}: {axis.help}" for axis in plan.axes if axis.help)


def along(shown: Shown, run: FamilyRun, axis: Axis) -> Iterator[Point]:
    """The points of a run on the curve over an axis: those that the plan has there, and further ones that differ from
    the point that is looked at in nothing but that axis."""
    if shown.planned is None:
        return
    here = shown.planned.case
    fixed = [other.name for other, _ in shown.plan.swept if other is not axis]
    planned = [dict(each.case) for each in shown.plan.points if all(each.case[name] == here[name] for name in fixed)]
    for point in run.points:
        moved = {**point.case, axis.name: here[axis.name]}
        if axis.name in point.case and (dict(point.case) in planned or moved == dict(here)):
            yield point


def newest_index(plan: Plan, run: FamilyRun | None) -> int:
    """The last planned point that the run has outcomes for; before a run, the last of all."""
    cases = [] if run is None else [dict(point.case) for point in run.points if point.outcomes]
    reached = [index for index, planned in enumerate(plan.points) if dict(planned.case) in cases]
    return reached[-1] if reached else max(0, len(plan.points) - 1)


def device_line(run: FamilyRun) -> Text:
    """Where, with how many threads or which driver, and with which PyTorch a run was made."""
    conditions = next((point.conditions for point in reversed(run.points) if point.conditions.rounds), None)
    threads = None if conditions is None else conditions.threads
    facts = [run.device.label, moment(run)]
    if run.device.driver:
        facts.append(str(tr("driver {version}", version=run.device.driver)))
    if threads:
        facts.append(str(tr_plural("{count} CPU thread", "{count} CPU threads", count=threads)))
    if "torch" in run.versions:
        facts.append(f"torch {run.versions['torch']}")
    return verbatim(" · ".join(facts))
