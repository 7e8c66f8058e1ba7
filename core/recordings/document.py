"""A recording as a JSON file: read with bounds, one sentence for what is wrong, and written whole or not at all."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from core.contracts import archive
from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr
from core.files import read_object, reason_of, write_whole
from core.installation import command
from core.recordings.run import FamilyRun

FORMAT, VERSION = "tilescope-recording", 1
MAX_BYTES = 64 << 20
_MAX_PAIRS = 4_000_000


class BadRecording(TilescopeError):
    """A file that is no recording, is damaged, or is of another version."""


@dataclass(frozen=True)
class Recording:
    """Runs that were made together, one per family and device."""

    runs: tuple[FamilyRun, ...]


_RECORDING: TypeAdapter[Recording] = TypeAdapter(Recording)


def read(path: Path) -> Recording:
    """The recording. Raises BadRecording with one sentence for anything else."""
    try:
        document = read_object(path, MAX_BYTES, _MAX_PAIRS)
    except OSError as error:
        raise BadRecording(
            tr("{path} cannot be read ({reason}): choose another file.", path=str(path), reason=reason_of(error))
        ) from error
    except (ValueError, TypeError) as error:
        raise BadRecording(_no_recording(path)) from error
    return parse(document, path)


def parse(document: dict[str, Any], path: Path) -> Recording:
    """The recording that a JSON object holds; `path` is for the sentence of the error."""
    if document.get("format") != FORMAT:
        raise BadRecording(_no_recording(path))
    version = document.get("version")
    if version != VERSION:
        raise BadRecording(
            tr(
                "{path} is a recording of version {version}, and this program reads version {known}: open it with the "
                "program that wrote it, or record again.",
                path=str(path),
                version=repr(version)[:20],  # a text is none: '1' is not 1
                known=VERSION,
            )
        )
    content = {name: value for name, value in document.items() if name not in ("format", "version")}
    try:
        recording = _RECORDING.validate_python(content)
    except (ValidationError, ValueError, RecursionError) as error:
        raise BadRecording(tr("{path} is damaged: {place}.", path=str(path), place=_place(error))) from error
    if problem := _contradiction(recording):
        raise BadRecording(tr("{path} is damaged: {place}.", path=str(path), place=problem))
    return recording


def write(path: Path, runs: Sequence[FamilyRun]) -> None:
    """Write the runs as a recording. Raises BadRecording where the file cannot be written."""
    try:
        write_whole(path, as_bytes(runs))
    except OSError as error:
        raise BadRecording(
            tr("{path} cannot be written ({reason}): choose another place.", path=str(path), reason=reason_of(error))
        ) from error


def as_bytes(runs: Sequence[FamilyRun]) -> bytes:
    """The file's content: JSON without NaN or inf, which others cannot read."""
    document = {"format": FORMAT, "version": VERSION, **archive.plain(Recording(tuple(runs)))}
    return (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _no_recording(path: Path) -> Text:
    return tr(
        "{path} is no recording: choose a JSON file that `{command}` or the compare page wrote.",
        path=str(path),
        command=command("bench --record"),
    )


def _place(error: Exception) -> Text:
    """Where the first fault is, as a path of fields."""
    if not isinstance(error, ValidationError):
        return tr("its values are nested too deeply")
    first = error.errors()[0]
    return tr("{field} is not as it should be", field=".".join(map(str, first["loc"]))[:200] or "runs")


def _contradiction(recording: Recording) -> Text | None:
    """What the types do not check: numbers that no run can give."""
    for number, run in enumerate(recording.runs):
        for point in run.points:
            for outcome in point.outcomes:
                times = [*outcome.time_ms_samples, *([] if outcome.time_ms is None else [outcome.time_ms])]
                if not all(math.isfinite(time) and time > 0 for time in times):
                    return tr("a time in runs.{number} is not positive", number=number)
                if outcome.time_ms is not None and not outcome.passed:
                    return tr("runs.{number} has a time of a result that did not pass its check", number=number)
    return None
