"""The `screenshot` and `demo` subcommands: they check their arguments, and save pictures without a display."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.contracts.errors import InvalidParams, TilescopeError
from core.contracts.registry import TOPICS
from core.contracts.registry import topic as find_topic
from core.contracts.text import listed, quoted, tr
from core.demos import find_demo
from core.files import reason_of

if TYPE_CHECKING:
    from core.engine.addresses import Target

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
    recorded: bool = False,
) -> Iterator[Path]:
    """Run each topic once and save its page in each theme; yields the files as they are written. With `recorded`, runs
    that come with the program are shown where they fit.

    Checks all arguments before the first run. Raises TilescopeError with one sentence.
    """
    width, height = parse_size(size)
    _checked_theme(theme)
    is_all, is_home = topic_id == "all", topic_id == "home"
    topics = [find_topic(name) for name in (TOPICS if is_all else () if is_home else [topic_id])]
    from core.commands.session import parse_assignments

    requests = [(topic, parse_assignments(topic, assignments)) for topic in topics]
    for topic, params in requests:
        topic.check(params)
    _make_folder(out)
    # Pictures need no display, and a window that appears on one would be in the way.
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from gui.window.screenshot import render

    themes = (theme,) if theme else THEMES
    yield from render(
        requests,
        with_home=is_all or is_home,
        themes=themes,
        size=(width, height),
        device=device,
        out=out,
        recorded=recorded,
    )


def save_demo(
    name: str,
    *,
    out: Path,
    theme: str | None = None,
    size: str = "1600x1000",
    device: Target = "auto",
    recorded: bool = True,
    trusts_files: bool = False,
) -> Iterator[Path]:
    """Save a demo, by its name or its file, as pictures, an animated picture and slides; yields the files as they are
    written.

    Checks all arguments before the first run. Raises TilescopeError with one sentence.
    """
    demo, pixels = find_demo(name), parse_size(size)
    theme = _checked_theme(theme) or THEMES[0]
    _make_folder(out)
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from gui.window.demo_pictures import render_demo

    yield from render_demo(
        demo, theme_name=theme, size=pixels, device=device, out=out, recorded=recorded, trusts_files=trusts_files
    )


def _checked_theme(theme: str | None) -> str | None:
    if theme not in (None, *THEMES):
        raise InvalidParams(
            tr("There is no theme {name}: the themes are {known}.", name=quoted(theme), known=listed(THEMES))
        )
    return theme


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
