"""What a report of a trace says in the same words in a terminal, on the page and in a file."""

from __future__ import annotations

from collections import Counter

from core.contracts.text import EMPTY, Text, listed, sentences, tr, tr_plural, verbatim
from core.format import quantity
from core.proofs.record import Proof, Verdict
from core.sanitizer import kinds
from core.sanitizer.kinds import KINDS, Group
from core.topics.kernel_lab.result import KernelLabResult
from core.trace.tables import FaultRow, LaunchRow

CHECKED_BY_ADDRESS = (
    kinds.OUT_OF_BOUNDS,
    kinds.OUTSIDE_THE_VIEW,
    kinds.WRONG_STRIDES,
    kinds.WRITE_WRITE_RACE,
    kinds.READ_WRITE_RACE,
    kinds.ATOMIC_AND_PLAIN_ACCESS,
)
"""What every trace was checked for."""
CHECKED_IN_FULL = tuple(kind for kind in KINDS if kind not in (*CHECKED_BY_ADDRESS, kinds.CONFIGURATION_CHANGES_RESULT))
"""What a full trace was checked for besides. Configurations are compared only where all of them are tried."""

_GROUPS: dict[Group, Text] = {
    "memory": tr("memory"),
    "race": tr("races"),
    "number": tr("numbers"),
    "tuning": tr("tuning"),
    "progress": tr("progress"),
}
_KINDS_OF = Counter(kind.group for kind in KINDS.values())


def kind_of_trace(result: KernelLabResult) -> Text:
    """Which trace was taken; empty if that is unknown, as of a trace of an older version."""
    if result.addresses_only is None:
        return EMPTY
    if result.addresses_only:
        return tr("addresses only: the kernels wrote no results")
    if result.params.addresses_only:
        return tr("full trace, because addresses only would have been wrong")
    return tr("full trace")


def totals_of(result: KernelLabResult) -> Text:
    """The bytes of all launches, in one line."""
    return tr(
        "{accesses:,} accesses, read {read}, written {written}, distinct {unique}",
        accesses=int(result.value("accesses")),
        read=quantity(result.value("read_bytes"), "bytes"),
        written=quantity(result.value("written_bytes"), "bytes"),
        unique=quantity(sum(row.unique_bytes for row in result.launches), "bytes"),
    )


def launches_of_kernels(result: KernelLabResult) -> Text:
    """'23 launches of 6 kernels'."""
    kernels = len(result.kernel_totals)
    return tr_plural(
        "{count:,} launch of {kernels}",
        "{count:,} launches of {kernels}",
        count=len(result.launches),
        kernels=tr_plural("{count:,} kernel", "{count:,} kernels", count=kernels),
    )


def times_launched(count: int) -> Text:
    return tr_plural("{count:,} launch", "{count:,} launches", count=count)


def totals_of_launch(launch: LaunchRow) -> Text:
    return tr(
        "grid {grid}, {accesses:,} accesses, read {read}, written {written}, distinct {unique}",
        grid=launch.grid,
        accesses=launch.accesses,
        read=quantity(launch.read_bytes, "bytes"),
        written=quantity(launch.written_bytes, "bytes"),
        unique=quantity(launch.unique_bytes, "bytes"),
    )


def fault(row: FaultRow) -> Text:
    """The kind of a finding, its place, what happened, and how to mend it."""
    values: dict[str, str | int] = {
        "file": row.file,
        "line": row.line,
        "program": str(row.program),
        "index": row.index,
        "tensor": row.tensor,
    }
    if row.program < 0:
        place = tr("{file}:{line}", **values)
    elif not row.tensor:
        place = tr("{file}:{line}, program {program}", **values)
    elif row.other_program is None:
        place = tr("{file}:{line}, program {program}, index {index} of {tensor}", **values)
    else:
        other = str(row.other_program)
        place = tr("{file}:{line}, programs {program} and {other}, index {index} of {tensor}", other=other, **values)
    explanation = sentences(row.sentence, row.repair)
    return tr("{kind}: {place}. {explanation}", kind=kind_of_fault(row), place=place, explanation=explanation)


def kind_of_fault(row: FaultRow) -> Text:
    """The name of its kind; that of a later version as it stands."""
    known = KINDS.get(row.kind)
    return verbatim(row.kind) if known is None else known.name


_VERDICTS: dict[Verdict, Text] = {
    "proved": tr("proved for all sizes"),
    "counterexample": tr("counterexample"),
    "undecided": tr("undecided for all sizes"),
    "stopped": tr("stopped: no answer for all sizes"),
}


def verdict_of(proof: Proof) -> Text:
    """The answer about all sizes in a few words."""
    return _VERDICTS[proof.verdict]


def what_was_checked(result: KernelLabResult) -> Text:
    """That nothing was found, and what was looked for, by group: the names of all kinds would fill the list."""
    is_full = result.addresses_only is False and not result.trace_file
    checked = [KINDS[kind].group for kind in (*CHECKED_BY_ADDRESS, *(CHECKED_IN_FULL if is_full else ()))]
    groups = [
        tr("{group} ({count} of {all})", group=name, count=checked.count(group), all=_KINDS_OF[group])
        for group, name in _GROUPS.items()
        if group in checked
    ]
    return tr_plural(
        "No findings: {accesses:,} accesses of {count:,} launch were checked. The kinds looked for: {groups}.",
        "No findings: {accesses:,} accesses of {count:,} launches were checked. The kinds looked for: {groups}.",
        count=len(result.launches),
        accesses=sum(row.accesses for row in result.launches),
        groups=listed(groups),
    )
