"""`bench [FAMILY ...]`: comparisons over sweeps, printed, recorded, and checked against a baseline."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from core.commands.bench_session import TOPIC_ID, Session
from core.commands.bench_tables import print_regressions, print_run
from core.commands.session import engine_for
from core.contracts.errors import InvalidParams, UnknownName
from core.contracts.registry import topic as find_topic
from core.contracts.text import Text, listed, quoted, tr
from core.csv_text import to_csv
from core.engine.addresses import SchedulerAddress, Target, target_of
from core.families import FAMILIES
from core.families import family as find_family
from core.files import reason_of, write_whole
from core.hardware.gpus import gpu_called
from core.recordings import document
from core.recordings.changes import Regressions, matching, regressions
from core.recordings.rows import rows_of
from core.recordings.run import FamilyRun
from core.topics.compare.params import FULL, OWN_FILE, CompareParams
from core.topics.compare.recorded_sizes import params_with_sizes_of

_OF_THE_FORM = ("family", "file", "functions", "case", "sweep", "second_sweep", "recordings")
"""Parameters that the command line sets in other ways."""


@dataclass(frozen=True)
class Options:
    """What the command line asks for, besides the families."""

    assignments: Sequence[str] = ()
    sweeps: Sequence[str] = ()
    dry_run: bool = False
    record: Path | None = None
    check: Path | None = None
    csv: Path | None = None
    as_json: bool = False
    gpu: str = ""
    """The GPU that kernels are tiled for, and that a file finds, where there is none: an id, or its beginning."""


def bench(families: Sequence[str], options: Options, *, device: Target) -> int:
    """Compare each of the families, or all of them, or those of the baseline.

    Returns exit code 1 where `check` finds something slower than the baseline, or wrong, and where a family could not
    be run at all; else 0. An interrupt keeps what is done: it is printed, recorded and checked. Raises TilescopeError
    for bad input, before anything runs, and NotComparable for a baseline of another device, after the runs are printed.
    """
    for path in (options.record, options.csv):
        if path is not None:
            _require_folder(path)
    baseline = None if options.check is None else document.read(options.check).runs
    wanted = list(comparisons(families, options, baseline, on_gpu=device == "cuda"))
    topic = find_topic(TOPIC_ID)
    for params in wanted:
        topic.check(params)
    with engine_for(device) as (engine, engine_device):
        session = Session(engine, engine_device, options.record, shares=isinstance(target_of(device), SchedulerAddress))
        runs = session.run(wanted)
    found: list[tuple[FamilyRun, Regressions]] = []
    try:
        found = [] if baseline is None else list(_checked(runs, baseline))
    finally:  # what was computed is shown, also where it cannot be compared with the baseline
        _print(runs, found, options, session.notices_of)
    return int(session.failed or any(each.found for _, each in found))


def _require_folder(path: Path) -> None:
    """Raises BadRecording for a file that could not be written, before the work that would fill it."""
    try:
        path.parent.stat()
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as error:
        raise _not_written(path, error) from error


def _not_written(path: Path, error: OSError) -> document.BadRecording:
    return document.BadRecording(
        tr("{path} cannot be written ({reason}): choose another place.", path=str(path), reason=reason_of(error))
    )


def comparisons(
    families: Sequence[str], options: Options, baseline: Sequence[FamilyRun] | None, *, on_gpu: bool
) -> Iterator[CompareParams]:
    """The parameters of each comparison. A family is an id, or the path of the user's own file, FILE.py::FUNCTIONS.

    Without families, those of the baseline, and with neither sweep nor values its cases. The sizes are the full ones
    where the device is a GPU, and for a dry run.
    """
    names = families or ([] if baseline is None else [run.family for run in baseline if run.family != OWN_FILE])
    size = {"size": FULL} if on_gpu or options.dry_run else {}
    dry = {"checked": False, "timed": False} if options.dry_run else {}
    kind = {"gpu": gpu_called(options.gpu).id} if options.gpu else {}
    for name in names or FAMILIES:
        where = _where(name)
        params, values = _assigned(options.assignments, where["family"])
        known = None if baseline is None else _recorded(baseline, where)
        sweeps = dict(zip(("sweep", "second_sweep"), options.sweeps, strict=False))
        virtual = {"virtual_gpu": True} if options.gpu and where["family"] == OWN_FILE else {}
        given = {**size, **sweeps, **dry, **kind, **virtual, **params, **where, **values}
        if known is None or sweeps or values:
            yield CompareParams.parse(given)
        else:
            yield params_with_sizes_of(known, CompareParams.parse({"seed": known.seed, **given}))


def _where(name: str) -> dict[str, str]:
    """The parameters that name a family, or a file of the user's."""
    path, _, functions = name.partition("::")
    if path.endswith(".py"):
        return {"family": OWN_FILE, "file": path, "functions": functions}
    return {"family": find_family(name).id}


def _assigned(assignments: Sequence[str], family_id: str) -> tuple[dict[str, str], dict[str, str]]:
    """Parameters of the comparison, and {'case': ...} with those of the family, from NAME=VALUE texts."""
    params: dict[str, str] = {}
    case: list[str] = []
    for assignment in assignments:
        name, equals, value = (part.strip() for part in assignment.partition("="))
        if not equals or not name:
            raise InvalidParams(
                tr(
                    "--set takes name=value, not {assignment}: for example --set rounds=50.",
                    assignment=quoted(assignment),
                )
            )
        if name in CompareParams.model_fields and name not in _OF_THE_FORM:
            params[name] = value
        else:
            case.append(f"{name}={value}")
    if case and family_id != OWN_FILE:
        _require_axes(case, family_id)
    return params, {"case": ", ".join(case)} if case else {}


def _require_axes(case: Sequence[str], family_id: str) -> None:
    """Raises UnknownName for a name that is neither a parameter of the comparison nor one of the family."""
    axes = [axis.name for axis in find_family(family_id).axes]
    settable = [name for name in CompareParams.model_fields if name not in _OF_THE_FORM]
    for assignment in case:
        name = assignment.partition("=")[0]
        if name not in axes:
            raise UnknownName(
                tr(
                    "{family} has no parameter {name}. It has {axes}; every comparison has {settable}.",
                    family=family_id,
                    name=quoted(name),
                    axes=listed(axes),
                    settable=listed(settable),
                )
            )


def _recorded(baseline: Sequence[FamilyRun], where: Mapping[str, str]) -> FamilyRun:
    """The run of the baseline for a family. Raises InvalidParams if there is none."""
    file = Path(where["file"]).name if "file" in where else ""
    known = matching(baseline, (where["family"], file))
    if known is None:
        raise InvalidParams(
            tr(
                "The baseline has no run of {family}: it has {known}.",
                family=file or where["family"],
                known=listed(run.name for run in baseline),
            )
        )
    return known


def _checked(runs: Sequence[FamilyRun], baseline: Sequence[FamilyRun]) -> Iterator[tuple[FamilyRun, Regressions]]:
    """What is slower or wrong in each run. Raises NotComparable for a baseline of another device."""
    for run in runs:
        before = matching(baseline, run.subject, run.device)
        if before is not None:
            yield run, regressions(before, run)


def _print(
    runs: Sequence[FamilyRun],
    found: Sequence[tuple[FamilyRun, Regressions]],
    options: Options,
    notices_of: Callable[[FamilyRun], Sequence[Text]],
) -> None:
    """The tables, or the recording with the check as one JSON object; and the CSV file."""
    if options.csv is not None:
        try:
            write_whole(options.csv, to_csv(rows_of(runs)).encode())
        except OSError as error:
            raise _not_written(options.csv, error) from error
    if options.as_json:
        print(
            json.dumps(
                {**json.loads(document.as_bytes(runs)), **_as_json(found, options)}, indent=2, ensure_ascii=False
            )
        )
        return
    console = Console()
    for run in runs:
        print_run(console, run, notices_of(run))
    for run, each in found:
        print_regressions(console, run, each)


def _as_json(found: Sequence[tuple[FamilyRun, Regressions]], options: Options) -> dict[str, Any]:
    if options.check is None:
        return {}
    return {
        "check": [
            {
                "family": run.name,
                "compared": each.compared,
                "threshold": each.threshold,
                "slower": [
                    {"impl": change.impl, "case": dict(change.case), "ratio": change.time.ratio, "low": change.time.low}
                    for change in each.slower
                    if change.time is not None
                ],
                "lost": [
                    {"impl": change.impl, "case": dict(change.case), "reason": str(change.lost_reason)}
                    for change in each.lost
                ],
            }
            for run, each in found
        ]
    }
