"""The `screenshot` subcommand: saves pictures of pages."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.registry import TOPICS
from core.contracts.registry import topic as find_topic
from core.contracts.text import listed, quoted, tr
from core.engine.addresses import Target
from core.files import reason_of

THEMES = ("dark", "light")
_SMALLEST, _LARGEST = 320, 16384


def save_pages(
    topic_id: str,
    assignments: Sequence[str],
    *,
    out: Path,
    theme: str | None = None,
    size: str = "1600x1000",
    device: Target = "auto",
) -> Iterator[Path]:
    """Run each topic once and save its page in each theme; yields the files as they are written.

    Checks all arguments before the first run. Raises TilescopeError with one sentence.
    """
    width, height = parse_size(size)
    if theme not in (None, *THEMES):
        raise InvalidParams(
            tr("There is no theme {name}: the themes are {known}.", name=quoted(theme), known=listed(THEMES))
        )
    topics = [find_topic(name) for name in (TOPICS if topic_id == "all" else [topic_id])]
    from core.commands.session import parse_assignments

    requests = [(topic, parse_assignments(topic, assignments)) for topic in topics]
    for topic, params in requests:
        topic.check(params)
    _make_folder(out)
    # Pictures need no display, and a window that appears on one would be in the way.
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from gui.window.screenshot import render

    for topic, params in requests:
        yield from render(
            topic, params, themes=(theme,) if theme else THEMES, size=(width, height), device=device, out=out
        )


def parse_size(size: str) -> tuple[int, int]:
    """'1600x1000' as (1600, 1000). Raises InvalidParams."""
    match = re.fullmatch(r"(\d{1,6})x(\d{1,6})", size)
    sides = (int(match[1]), int(match[2])) if match else (0, 0)
    if not all(_SMALLEST <= side <= _LARGEST for side in sides):
        raise InvalidParams(
            tr(
                "--size {size} cannot be used: write WIDTHxHEIGHT in pixels, each from {least} to {most}.",
                size=size,
                least=_SMALLEST,
                most=_LARGEST,
            )
        )
    return sides


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = reason_of(error)
        message = tr("The folder {folder} cannot be created: {reason}.", folder=str(out), reason=reason)
        raise TilescopeError(message) from None
    if not os.access(out, os.W_OK):
        raise TilescopeError(tr("The folder {folder} is not writable: choose another folder.", folder=str(out)))
