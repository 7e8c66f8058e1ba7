"""The `screenshot` subcommand: pages are opened and run, and a picture of each is saved in each theme."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from core.contracts.errors import TilescopeError
from core.contracts.params import Params
from core.contracts.topic import Topic
from core.engine.addresses import Target
from gui.window.headless import HeadlessWindow, headless_window
from gui.window.navigation import HOME
from gui.window.picture import save_picture


def render(
    pages: Sequence[tuple[Topic, Params]],
    *,
    with_home: bool = False,
    themes: Sequence[str],
    size: tuple[int, int],
    device: Target,
    out: Path,
    run: bool = True,
    recorded: bool = False,
    formats: Sequence[str] = ("png",),
) -> Iterator[Path]:
    """Run each page once and save it in each theme as OUT/TOPIC-THEME.png, the home page first; yields the paths.

    The runs queue in one worker while the window draws what is finished, and one run serves all themes. With
    `recorded`, a run that comes with the program is shown in place of one that would have the same parameters.

    `size` is in pixels of the picture, footer included; `device` may be a scheduler's address.
    Raises TilescopeError where a run fails or a file cannot be written. The run of one page of several is raised after
    the others are saved: its picture shows what the page says about it.
    """
    running: set[str] = set()
    failures: list[TilescopeError] = []
    with headless_window(size, theme_name=themes[0], device=device) as headless:
        for topic, params in pages:
            opened = headless.open(topic.id)
            headless.set_params(opened, params)
            if recorded and headless.show_recorded(opened):
                continue
            if run:
                headless.begin_run(opened)
                running.add(topic.id)
        for name in themes:
            headless.use_theme(name)
            if with_home:
                headless.open_home()
                yield from _save(headless, HOME, name, out, formats)
            for topic, _ in pages:
                opened = headless.open(topic.id)
                if topic.id in running:
                    running.remove(topic.id)
                    try:
                        headless.end_run(opened)
                    except TilescopeError as error:
                        if len(pages) == 1:
                            raise
                        failures.append(error)
                headless.wait_until_drawn(opened)
                yield from _save(headless, topic.id, name, out, formats)
    if failures:
        raise failures[0]


def _save(headless: HeadlessWindow, page: str, theme_name: str, out: Path, formats: Sequence[str]) -> Iterator[Path]:
    for suffix in formats:
        path = out / f"{page}-{theme_name}.{suffix}"
        save_picture(headless.window.body, headless.window.footer, path, scale=1.0)
        yield path
