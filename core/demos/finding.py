"""Finds a demo by the name of one that comes with the program, or by the path of a file."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from core.contracts.errors import UnknownName
from core.contracts.text import listed, quoted, tr
from core.demos.texts import written

if TYPE_CHECKING:
    from core.contracts.written import Written
    from core.demos.demo import Demo

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "demos"
SUFFIX = ".toml"
WHOLE_STORY = "three-minutes"
"""The demo that leads through all pages: the one to begin with."""


def shipped_demos(folder: Path = FOLDER) -> tuple[str, ...]:
    """The names of the demos that come with the program, in alphabetical order."""
    return tuple(sorted(path.stem for path in folder.glob(f"*{SUFFIX}")))


def shipped_titles(folder: Path = FOLDER) -> dict[str, Written]:
    """The titles of these demos by name, the one that tells the whole story first.

    Only the beginning of each file is read: a menu has to be there at once.
    """
    titles = {}
    for name in sorted(shipped_demos(folder), key=lambda name: name != WHOLE_STORY):
        beginning = (folder / f"{name}{SUFFIX}").read_text(encoding="utf-8").split("[[steps]]", 1)[0]
        titles[name] = written(tomllib.loads(beginning)["title"])
    return titles


def find_demo(name: str, folder: Path = FOLDER) -> Demo:
    """The demo of that name, or in that file: a path has a slash or the ending .toml.

    Raises InvalidDemo for a file that cannot be used and UnknownName for a name that does not exist.
    """
    from core.demos.reading import read_demo  # it imports pydantic, and a menu shows the titles before the first paint

    path = Path(name).expanduser()
    if path.suffix == SUFFIX or len(path.parts) > 1:
        return read_demo(path)
    names = shipped_demos(folder)
    if name in names:
        return read_demo(folder / f"{name}{SUFFIX}")
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        raise UnknownName(
            tr(
                "There is no demo {name}: did you mean {close}? The demos are {known}; a file ends in .toml.",
                name=quoted(name),
                close=close[0],
                known=listed(names),
            )
        )
    raise UnknownName(
        tr(
            "There is no demo {name}. The demos are {known}; a file ends in .toml.",
            name=quoted(name),
            known=listed(names),
        )
    )
