"""A folder of recordings as a small database: what is in it, filtered by device, family, implementation and date."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from core.contracts.errors import TilescopeError
from core.contracts.text import EMPTY, Text, tr
from core.files import reason_of
from core.recordings.document import BadRecording, read
from core.recordings.run import FamilyRun

MOST_FILES = 2000


@dataclass(frozen=True)
class Entry:
    """One run and the file that it is from; without a run, `problem` says why the file was skipped."""

    path: Path
    run: FamilyRun | None = None
    problem: Text = EMPTY


@dataclass(frozen=True)
class Filter:
    """What to keep; '' keeps everything. Device, family and implementation match any part of the name, whatever its
    case. Dates are such as '2025-01-31', or a part of it from the front; `until` includes its day."""

    device: str = ""
    family: str = ""
    impl: str = ""
    since: str = ""
    until: str = ""

    def keeps(self, run: FamilyRun) -> bool:
        day = run.recorded_at[:10]
        return (
            _in(self.device, run.device.label)
            and _in(self.family, f"{run.family} {run.file}")
            and any(_in(self.impl, impl) for impl in run.impls or ("",))
            and day >= self.since
            and (not self.until or day[: len(self.until)] <= self.until)
        )


def entries(path: Path) -> Iterator[Entry]:
    """The runs of a recording, or of every JSON file in a folder and below it, by name; a file that is no recording, or
    is damaged, gives an entry with its problem.

    Raises BadRecording where the path cannot be opened.
    """
    if not path.is_dir():
        for run in read(path).runs:
            yield Entry(path, run)
        return
    try:
        files = sorted(found for found in path.rglob("*.json") if found.is_file())
    except OSError as error:
        raise BadRecording(
            tr("{path} cannot be read ({reason}): choose another folder.", path=str(path), reason=reason_of(error))
        ) from error
    for file in files[:MOST_FILES]:
        try:
            for run in read(file).runs:
                yield Entry(file, run)
        except TilescopeError as error:
            yield Entry(file, problem=error.text)
    if len(files) > MOST_FILES:
        problem = tr(
            "{folder} has more than {limit:,} files: the others were skipped.", folder=str(path), limit=MOST_FILES
        )
        yield Entry(path, problem=problem)


def kept(found: Iterable[Entry], chosen: Filter) -> Iterator[Entry]:
    """The entries that a filter keeps; those with a problem stay."""
    return (entry for entry in found if entry.run is None or chosen.keeps(entry.run))


def _in(part: str, whole: str) -> bool:
    return part.strip().lower() in whole.lower()
