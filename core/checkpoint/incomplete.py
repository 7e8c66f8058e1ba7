"""Recognises what an incomplete download leaves behind, and says which file is missing and how it is usually got."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from core.contracts.text import EMPTY, Text, listed, sentences, tr, tr_plural
from core.format import quantity

FIRST_BYTES = 256
"""How much of a file tells what was stored in the place of tensors."""

_LFS = b"version https://git-lfs.github.com/spec/"
_LFS_SIZE = re.compile(rb"^size (\d{1,18})$", re.MULTILINE)
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<suffix>\.[\w.]+)")
_ALL_PARTS = r"\g<stem>-*\g<suffix>"
_UNFINISHED = (".incomplete", ".crdownload", ".part", ".partial", ".aria2", ".download", ".tmp")
_NAMED = 3
_MOST_PARTS = 10_000


def what_else(path: Path, first_bytes: bytes) -> Text:
    """What a file holds in the place of tensors and how to get these; empty if nothing is known about it."""
    if first_bytes.startswith(_LFS):
        size = _LFS_SIZE.search(first_bytes)
        if size:
            pointer = tr(
                "{file} is a git-lfs pointer: a few lines of text that stand for a file of {size}.",
                file=str(path),
                size=quantity(int(size.group(1)), "bytes"),
            )
        else:
            pointer = tr("{file} is a git-lfs pointer: a few lines of text that stand for the file.", file=str(path))
        return sentences(pointer, tr("Run git lfs install and git lfs pull in its folder."), how_to_get([path]))
    text = first_bytes.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b'{"error', b"invalid username", b"access to model")):
        page = tr(
            "{file} is a web page or an error message that was saved in the place of the file: the link needs a login, "
            "an accepted licence, or /resolve/ in the place of /blob/.",
            file=str(path),
        )
        return sentences(page, how_to_get([path]))
    return EMPTY


def what_is_there(ends: Sequence[int], size: int) -> Text:
    """How much there is of a file of `size` bytes whose tensors should end at `ends`."""
    return tr(
        "{size} of {whole} are there, and {missing:,} of {count:,} tensors are incomplete or missing.",
        size=quantity(size, "bytes"),
        whole=quantity(max(ends), "bytes"),
        missing=sum(end > size for end in ends),
        count=len(ends),
    )


def all_parts(path: Path) -> list[Path]:
    """The parts of a split checkpoint ('model-00001-of-00002.safetensors') of which one is given, whether or not they
    are there; the file alone if it is no part."""
    part = _PART.fullmatch(path.name)
    if part is None or not 0 < int(part["count"]) <= _MOST_PARTS:
        return [path]
    count = int(part["count"])
    names = (f"{part['stem']}-{number:05}-of-{part['count']}{part['suffix']}" for number in range(1, count + 1))
    return [path.parent / name for name in names]


def missing_parts(path: Path) -> tuple[str, ...]:
    """The other parts of a split checkpoint that are not beside this one."""
    return tuple(part.name for part in all_parts(path) if part != path and not part.is_file())


def part_alone(path: Path, missing: Sequence[str]) -> Text:
    """A split checkpoint of which only some parts are there."""
    part = _PART.fullmatch(path.name)
    assert part is not None
    alone = tr(
        "{file} is part {number} of {count}: the report covers its tensors alone.",
        file=path.name,
        number=int(part["number"]),
        count=int(part["count"]),
    )
    return sentences(alone, are_missing(path.parent, missing))


def are_missing(folder: Path, names: Sequence[str]) -> Text:
    """Which files are missing from a folder, and how to get them."""
    more = len(names) - _NAMED
    shown = listed(list(names[:_NAMED]))
    if more > 0:
        missing = tr("{files} and {more:,} more are missing from {folder}.", files=shown, more=more, folder=str(folder))
    else:
        missing = tr_plural(
            "{files} is missing from {folder}.",
            "{files} are missing from {folder}.",
            count=len(names),
            files=shown,
            folder=str(folder),
        )
    return sentences(missing, how_to_get([folder / name for name in names]))


def how_to_get(files: Sequence[Path]) -> Text:
    """The usual way to download files of a model into the folder they belong to."""
    first = files[0]
    folder = shlex.quote(str(first.parent))
    if len(files) > _NAMED:
        what = f"--include '{_PART.sub(_ALL_PARTS, first.name)}'"
    else:
        what = " ".join(file.name for file in files)
    command = f"hf download OWNER/MODEL {what} --local-dir {folder}"
    return tr("Usually: {command} (it continues a download that was interrupted).", command=command)


def unfinished(names: Sequence[str]) -> Text:
    """The file of a download that is under way or was interrupted; empty if no name looks like one."""
    for name in names:
        if name.lower().endswith(_UNFINISHED):
            return tr("{file} is an unfinished download.", file=name)
    return EMPTY
