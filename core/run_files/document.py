"""A run as a file: read with bounds, one sentence for what is wrong, and written whole or not at all.

`docs/run-files.md` describes the format: a zip with the members `mimetype`, `run.json` and `result.npz`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Annotated, Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from pydantic import AwareDatetime, Field, TypeAdapter

from core.contracts import archive, registry
from core.contracts.errors import InvalidParams, TilescopeError, UnknownName
from core.contracts.result import Environment, Result
from core.contracts.text import Text, quoted, tr
from core.files import read_regular, reason_of, write_whole
from core.format import quantity
from core.installation import command
from core.run_files.names import MIME_TYPE
from core.run_files.saved_run import SavedRun
from core.versions import versions

FORMAT, VERSION = "tilescope-run", 1

MAX_BYTES = 256 << 20
MAX_UNPACKED_BYTES = 1 << 30
"""Of all arrays together, and of the JSON beside them."""

_MIMETYPE, _HEADER, _RESULT = "mimetype", "run.json", "result.npz"
_MAX_HEADER_BYTES = 64 << 10
_MAX_MEMBERS = 20_000
_MEMBER_MARK = b"PK\x01\x02"
_YEARS = range(2000, 3000)


class BadRunFile(TilescopeError):
    """A file that is no run, is damaged, is of a newer version, or has a run that cannot be shown."""


@dataclass(frozen=True)
class _Header:
    """What `run.json` says besides `format` and `version`; `written_by` is the version of Tilescope."""

    topic: str
    started_at: AwareDatetime
    wall_s: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    machine: Annotated[str, Field(max_length=200)] = ""
    written_by: Annotated[str, Field(max_length=40)] = ""


_HEADERS: TypeAdapter[_Header] = TypeAdapter(_Header)


def write_run_file(path: Path, saved: SavedRun) -> None:
    """Write a run. Raises BadRunFile where it has no environment, is too large, or the file cannot be written."""
    if not _is_stamped(saved.environment):
        raise BadRunFile(tr("A run without an environment cannot be saved: run it again and save that run."))
    data = as_bytes(saved)
    if len(data) > MAX_BYTES:
        raise BadRunFile(
            tr(
                "The run is too large for one file ({size}, and {limit} are allowed): run with smaller parameters.",
                size=quantity(len(data), "bytes"),
                limit=quantity(MAX_BYTES, "bytes"),
            )
        )
    try:
        write_whole(path, data)
    except OSError as error:
        raise BadRunFile(
            tr(
                "The run cannot be saved as {path} ({reason}): choose another place.",
                path=str(path),
                reason=reason_of(error),
            )
        ) from error


def as_bytes(saved: SavedRun) -> bytes:
    """The content of the file. The same run gives the same bytes."""
    header = {
        "format": FORMAT,
        "version": VERSION,
        "topic": saved.topic,
        "started_at": saved.started_at.astimezone(UTC).isoformat(),
        "wall_s": saved.wall_s,
        "machine": saved.machine,
        "written_by": versions()["tilescope"],
    }
    text = json.dumps(header, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as file:
        for name, data in ((_MIMETYPE, MIME_TYPE), (_HEADER, text), (_RESULT, saved.result.to_bytes())):
            file.writestr(ZipInfo(name), data)  # without a date, and not compressed again
    return buffer.getvalue()


def is_run_file(start: bytes) -> bool:
    """Whether a file that begins with these bytes (100 are enough) says that it is a run."""
    return start.startswith(b"PK\x03\x04") and start[30:].startswith(f"{_MIMETYPE}{MIME_TYPE}".encode())


def read_run_file(path: Path, topic: str | None = None, topics: Mapping[str, str] = registry.TOPICS) -> SavedRun:
    """The run in a file; of `topic`, if one is given. `topics` maps topic ids to packages.

    Raises BadRunFile with one sentence for anything else: another file, a damaged or too large one, one of a newer
    version, of another topic or of one that does not exist here, and one that does not say where it was run.
    """
    try:
        data = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise BadRunFile(
            tr("{path} cannot be read ({reason}): choose another file.", path=str(path), reason=reason_of(error))
        ) from error
    if not is_run_file(data[:100]):
        raise BadRunFile(
            tr(
                "{path} is no saved run: choose a file that “Save run…” or `{command}` wrote.",
                path=str(path),
                command=command("run --save"),
            )
        )
    try:
        return _parsed(data, path, topic, topics)
    except archive.DAMAGE as error:
        raise BadRunFile(damaged(path)) from error


def _parsed(data: bytes, path: Path, topic: str | None, topics: Mapping[str, str]) -> SavedRun:
    """Raises BadRunFile, or one of `archive.DAMAGE`."""
    if data.count(_MEMBER_MARK) > _MAX_MEMBERS:  # counted before any is read, which takes memory for each
        raise BadRunFile(_too_large(path))
    with ZipFile(io.BytesIO(data)) as file:
        sizes = {member.filename: member.file_size for member in file.infolist()}
        if sizes[_HEADER] > _MAX_HEADER_BYTES or sizes[_RESULT] > MAX_BYTES:
            raise BadRunFile(_too_large(path))
        header = _header(json.loads(file.read(_HEADER)), path)
        if topic is not None and header.topic != topic:
            raise BadRunFile(
                tr(
                    "{path} is a run of {found}, not of {topic}: open it on its own page.",
                    path=str(path),
                    found=quoted(header.topic),
                    topic=quoted(topic),
                )
            )
        result = _result(file.read(_RESULT), header, path, topics)
    if not _is_stamped(result.environment):
        raise BadRunFile(
            tr(
                "{path} does not say where it was run, so its numbers cannot be judged: save the run again where it "
                "was made.",
                path=str(path),
            )
        )
    return SavedRun(result, header.started_at.astimezone(UTC), header.wall_s, header.machine)


def _header(document: dict[str, Any], path: Path) -> _Header:
    if document["format"] != FORMAT:
        raise ValueError("not the header of a run")
    version = document["version"]
    if not isinstance(version, int) or version < 1:
        raise ValueError("not a version")
    if version > VERSION:
        raise BadRunFile(
            tr(
                "{path} was saved by a newer version of Tilescope (file version {version}, and this program reads "
                "{known}): open it with that version.",
                path=str(path),
                version=version,
                known=VERSION,
            )
        )
    header = _HEADERS.validate_python({name: document[name] for name in document.keys() - {"format", "version"}})
    if header.started_at.year not in _YEARS:
        raise ValueError("not a time of a run")
    return header


def _result(data: bytes, header: _Header, path: Path, topics: Mapping[str, str]) -> Result:
    with ZipFile(io.BytesIO(data)) as arrays:
        if sum(member.file_size for member in arrays.infolist()) > MAX_UNPACKED_BYTES:
            raise BadRunFile(_too_large(path))
    try:
        kind = registry.topic(header.topic, topics).result
    except UnknownName as error:
        raise BadRunFile(
            tr(
                "{path} is a run of the topic {topic}, which this version of Tilescope does not have: open it with "
                "the version that saved it.",
                path=str(path),
                topic=quoted(header.topic),
            )
        ) from error
    try:
        result = kind.from_bytes(data)
    except InvalidParams as error:
        raise BadRunFile(
            tr(
                "The parameters of the run in {path} are not valid in this version of Tilescope: {error}",
                path=str(path),
                error=error.text,
            )
        ) from error
    except archive.DAMAGE as error:
        if header.written_by and header.written_by != versions()["tilescope"]:
            raise BadRunFile(
                tr(
                    "{path} does not fit this version of Tilescope ({version}), or is damaged: open it with the "
                    "version that saved it ({saved_by}).",
                    path=str(path),
                    version=versions()["tilescope"],
                    saved_by=header.written_by,
                )
            ) from error
        raise
    if result.topic != header.topic:
        raise ValueError("the result is of another topic")
    return result


def _is_stamped(environment: Environment) -> bool:
    return bool(environment.device.strip())


def damaged(path: Path) -> Text:
    """The sentence of a file whose content cannot be a run."""
    return tr("{path} is damaged and cannot be opened: copy or save it again.", path=str(path))


def _too_large(path: Path) -> Text:
    return tr(
        "{path} would unpack to more than the {limit} that a run may take: it was not opened.",
        path=str(path),
        limit=quantity(MAX_UNPACKED_BYTES, "bytes"),
    )
