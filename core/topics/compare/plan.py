"""The plan of the compare page: the cases of a sweep, what each takes by the formula, and the recordings beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.text import EMPTY, Text, listed, quoted, tr, verbatim
from core.families import family as find_family
from core.families import own_file
from core.families.axes import Axis, Case, Value, parse_case, parse_sweep
from core.families.family import Contender, Cost, Family, Preset
from core.hardware.gpus import gpu
from core.hardware.roofline import peak_dtype, roofline
from core.outside import described
from core.recordings.folder import Entry, entries
from core.recordings.run import FamilyRun
from core.topics.compare.params import EXAMPLE_FILE, FULL, OWN_FILE, CompareParams
from core.user_code.paths import resolved
from core.user_code.source import Source, read_source

MOST_POINTS = 256
NO_SWEEP = "none"
Swept = tuple[tuple[Axis, tuple[Value, ...]], ...]


@dataclass(frozen=True)
class PlannedPoint:
    """One case, what it takes by the formula, and the bound of the chosen GPU's roofline; None without a formula."""

    case: Case
    cost: Cost
    bound_ms: float | None


@dataclass(frozen=True)
class Plan:
    """What a run would compare. `problem` says in one sentence why a run is impossible, or is empty; `blames` is the
    parameter at fault.

    `swept` has none, one or two axes with their values; `points` are all combinations, the first axis fastest. `base`
    are the values where nothing is swept. `source` is the user's own file. `recorded` are the runs of the recordings
    that the parameters name, of all families, and the files that were skipped; `recorded_problem` says why nothing
    could be opened there, which keeps no run from being made.
    """

    params: CompareParams
    family: Family | None = None
    contenders: tuple[Contender, ...] = ()
    base: Case | None = None
    swept: Swept = ()
    points: tuple[PlannedPoint, ...] = ()
    source: Source | None = None
    problem: Text = EMPTY
    blames: str | None = None
    recorded: tuple[Entry, ...] = ()
    recorded_problem: Text = EMPTY

    @property
    def subject(self) -> tuple[str, str] | None:
        """That of its runs; None without a family."""
        return None if self.family is None else (self.family.id, "" if self.source is None else self.source.path.name)

    @property
    def overlays(self) -> tuple[FamilyRun, ...]:
        """The recorded runs of the same family, or of a file of the same name, the newest first."""
        runs = (entry.run for entry in self.recorded if entry.run is not None)
        found = [run for run in runs if run.subject == self.subject]
        return tuple(sorted(found, key=lambda run: run.recorded_at, reverse=True))

    @property
    def axes(self) -> tuple[Axis, ...]:
        """What can be set and swept."""
        return () if self.family is None else self.family.axes


def plan(params: CompareParams) -> Plan:
    """Does not raise: an error is in `problem`, with as much of the plan as there is."""
    planned = _planned(params)
    try:
        path = params.recordings.strip()
        return replace(planned, recorded=tuple(entries(Path(path).expanduser())) if path else ())
    except (TilescopeError, OSError, RuntimeError, ValueError) as error:
        problem = error.text if isinstance(error, TilescopeError) else verbatim(described(error))
        return replace(planned, recorded_problem=problem)


def _planned(params: CompareParams) -> Plan:
    """The plan without recordings."""
    known = Plan(params)
    try:
        source = read_source(resolved(params.file or EXAMPLE_FILE)) if params.family == OWN_FILE else None
        family = find_family(params.family) if source is None else own_file.family_of(source, params.functions)
        known = Plan(params, family, family.contenders, source=source)
        contenders = chosen(family, params.contenders)
        known = Plan(params, family, contenders, source=source)
        base, swept = sizes(family, params)
        points = _points(family, params, base, swept)
        return Plan(params, family, contenders, base, swept, points, source)
    except TilescopeError as error:
        blames = error.field if isinstance(error, InvalidParams) else None
        return Plan(params, known.family, known.contenders, source=known.source, problem=error.text, blames=blames)


def check(params: CompareParams) -> None:
    """Raises InvalidParams for a comparison that cannot be run."""
    planned = plan(params)
    if planned.problem:
        raise InvalidParams(planned.problem, planned.blames)


def preset(family: Family, size: str) -> Preset:
    """The sizes of the family that `size` names."""
    return family.full if size == FULL else family.quick


def chosen(family: Family, names: str) -> tuple[Contender, ...]:
    """The contenders that `names` lists, '' being all. Raises InvalidParams for one that the family does not have."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = {contender.id: contender for contender in family.contenders}
    for name in wanted:
        if name not in known:
            raise InvalidParams(
                tr(
                    "{name} is no implementation of this comparison: it has {known}.",
                    name=quoted(name),
                    known=listed(known),
                ),
                "contenders",
            )
    return tuple(contender for contender in family.contenders if not wanted or contender.id in wanted)


def sizes(family: Family, params: CompareParams) -> tuple[Case, Swept]:
    """The values where nothing is swept, and the axes of the sweep. Raises InvalidParams."""
    given = preset(family, params.size)
    base = {**family.defaults, **given.case, **parse_case(family.axes, params.case, "case")}
    first = _sweep(family, params.sweep, "sweep")
    if not params.sweep.strip() and given.sweep is not None:
        name, values = given.sweep
        first = next(axis for axis in family.axes if axis.name == name), values
    second = _sweep(family, params.second_sweep, "second_sweep")
    swept = tuple(each for each in (first, second) if each is not None)
    if len({axis.name for axis, _ in swept}) < len(swept):
        raise InvalidParams(
            tr("Both sweeps are over {name}: choose another parameter for one of them.", name=swept[0][0].name),
            "second_sweep",
        )
    return base, swept


def _sweep(family: Family, text: str, field: str) -> tuple[Axis, tuple[Value, ...]] | None:
    return None if text.strip() == NO_SWEEP else parse_sweep(family.axes, text, field)


def _points(family: Family, params: CompareParams, base: Case, swept: Swept) -> tuple[PlannedPoint, ...]:
    axes, values = [axis for axis, _ in swept], [options for _, options in swept]
    count = 1
    for options in values:
        count *= len(options)
    if count > MOST_POINTS:
        raise InvalidParams(
            tr("The sweep has {count} points, and at most {limit} are run.", count=count, limit=MOST_POINTS), "sweep"
        )
    return tuple(_point(family, params, base, axes, each[::-1]) for each in product(*reversed(values)))


def _point(
    family: Family, params: CompareParams, base: Case, axes: Sequence[Axis], values: Sequence[Value]
) -> PlannedPoint:
    case = family.resolve({**base, **{axis.name: value for axis, value in zip(axes, values, strict=True)}})
    family.check(case)
    cost = family.cost(case)
    chosen_gpu = gpu(params.gpu)
    if not cost.least_bytes:
        return PlannedPoint(case, cost, None)
    dtype = peak_dtype(chosen_gpu, cost.dtype)
    return PlannedPoint(case, cost, roofline(cost.flops, cost.least_bytes, chosen_gpu, dtype).time_ms)
