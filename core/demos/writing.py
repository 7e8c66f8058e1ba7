"""Writes a demo as TOML. What has its default is left out, so that the file is as short as one written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tomli_w

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.demos.demo import DEFAULT_S, Demo, Step
from core.demos.reading import FORMAT, parse_demo
from core.files import reason_of, write_whole


def demo_as_toml(demo: Demo) -> str:
    """The text that `parse_demo` reads as this demo."""
    contents = {"format": FORMAT, "title": demo.title.by_language, "steps": [_step(step) for step in demo.steps]}
    return tomli_w.dumps(contents)


def _step(step: Step) -> dict[str, Any]:
    place = step.place
    fields: dict[str, Any] = {"page": place.page}
    if place.set:
        fields["set"] = dict(place.set)
    if place.card:
        fields["card"] = place.card
    if place.select:
        fields["select"] = dict(place.select)
    if step.alone:
        fields["alone"] = True
    if not step.run:
        fields["run"] = False
    if step.seconds != DEFAULT_S:
        fields["seconds"] = step.seconds
    return {**fields, "caption": step.caption.by_language}


def write_demo(path: Path, demo: Demo) -> None:
    """Write the file, whole or not at all. Raises InvalidDemo for a demo that could not be played again, and
    TilescopeError where the file cannot be written."""
    text = demo_as_toml(demo)
    parse_demo(text, path.stem)
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise TilescopeError(
            tr(
                "The demo cannot be written to {path} ({reason}): save it elsewhere.",
                path=str(path),
                reason=reason_of(error),
            )
        ) from error
