"""The parameters that give the cases of a recording, so that a run can be compared with it."""

from __future__ import annotations

from core.families import FAMILIES
from core.families.axes import Value, case_text
from core.recordings.run import FamilyRun
from core.topics.compare.params import FULL, OWN_FILE, QUICK, CompareParams
from core.topics.compare.plan import NO_SWEEP, plan


def params_with_sizes_of(run: FamilyRun, params: CompareParams) -> CompareParams:
    """`params` with the family, the values and the sweeps of a recorded run.

    Values that follow from a swept one, such as a batch that is smaller for longer sequences, are left to the size that
    gives most of the recorded cases, to that of `params` among equals. Of a user's own file only the sizes are taken:
    where it is now is not recorded. A family that this program does not have changes nothing.
    """
    if run.family not in (*FAMILIES, OWN_FILE) or not run.points:
        return params
    values = _values(run)
    swept = [name for name in run.swept if len(values.get(name, ())) > 1][:2]
    sweeps = [f"{name}={','.join(map(str, values[name]))}" for name in swept]
    fixed = {name: options[0] for name, options in values.items() if len(options) == 1}
    changed = params.changed(
        family=run.family,
        contenders="" if run.family != params.family else params.contenders,
        case=case_text(fixed),
        sweep=sweeps[0] if sweeps else NO_SWEEP,
        second_sweep=sweeps[1] if len(sweeps) > 1 else "",
    )
    sizes = dict.fromkeys((params.size, QUICK, FULL))
    return max((changed.changed(size=size) for size in sizes), key=lambda each: _matches(run, each))


def _values(run: FamilyRun) -> dict[str, tuple[Value, ...]]:
    """The values of every parameter, in the order in which they were run."""
    names = dict.fromkeys(name for point in run.points for name in point.case)
    return {
        name: tuple(dict.fromkeys(point.case[name] for point in run.points if name in point.case)) for name in names
    }


def _matches(run: FamilyRun, params: CompareParams) -> int:
    """How many cases the plan of these parameters has in common with the run."""
    planned = [dict(point.case) for point in plan(params.changed(recordings="")).points]
    return sum(dict(point.case) in planned for point in run.points)
