"""The `demo` subcommand: a demo as pictures, as an animated picture and as slides, without a display."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QImage, QPainter

from core.contracts.errors import RunFailed, TilescopeError
from core.contracts.text import as_text, tr
from core.demos.animation import as_gif
from core.demos.demo import nth_step
from core.demos.slides import Slide, as_html
from core.files import reason_of, write_whole
from core.run_files import SavedRun
from gui import theme
from gui.demos.staging import Staging, has_run
from gui.page.export import encoded
from gui.widgets.wrapped_text import wrapped
from gui.window.demo_stage import DemoStage, Staged
from gui.window.headless import HeadlessWindow, headless_window, wait_for
from gui.window.picture import picture_of

if TYPE_CHECKING:
    from core.contracts.result import Result
    from core.demos import Demo, Step
    from core.engine.addresses import Target
    from gui.window.open_page import OpenPage

CAPTION_PX = 72
"""The height of the caption below a picture: three lines."""

_MARGIN_PX, _LINES = 16, 3
_PNG = Path("step.png")


def render_demo(
    demo: Demo,
    *,
    theme_name: str,
    size: tuple[int, int],
    device: Target,
    out: Path,
    recorded: bool = True,
    trusts_files: bool = False,
) -> Iterator[Path]:
    """Show every step with its run and save it as OUT/NAME-01.png and so on, then all of them as OUT/NAME.gif and
    OUT/NAME.html; yields the paths as they are written.

    `size` is that of a PNG in pixels, with caption and footer. With `recorded`, runs that come with the program are
    shown where they fit. Raises TilescopeError where a run fails or a file cannot be written.
    """
    captioned: list[bytes] = []
    slides: list[Slide] = []
    with headless_window((size[0], size[1] - CAPTION_PX), theme_name=theme_name, device=device) as headless:
        staging = Staging(_ReusingStage(headless.window, recorded))
        staging.trusts_files = trusts_files
        for number, step in enumerate(demo.steps, start=1):
            _show(headless, staging, number, step)
            picture = picture_of(headless.window.body, headless.window.footer, _PNG, scale=1.0)
            assert isinstance(picture, QImage)
            slides.append(Slide(encoded(picture, _PNG), str(step.caption), step.seconds))
            place = f"{number} / {len(demo.steps)}"
            captioned.append(encoded(_with_caption(picture, str(step.caption), place), _PNG))
            yield _write(out / f"{demo.name}-{number:02}.png", captioned[-1])
    yield _write(out / f"{demo.name}.gif", as_gif(captioned, [step.seconds for step in demo.steps]))
    html = as_html(str(demo.title), slides, is_dark=theme.current().is_dark)
    yield _write(out / f"{demo.name}.html", html.encode())


class _ReusingStage(DemoStage):
    """Shows a run again that an earlier step has shown: a demo goes back and forth."""

    def __init__(self, window: Staged, shows_recorded: bool) -> None:
        super().__init__(window)
        self.shows_recorded = shows_recorded
        self._shown: dict[str, list[Result | SavedRun]] = {}

    def open_page(self, topic_id: str) -> OpenPage | None:
        opened = super().open_page(topic_id)
        if opened is not None and topic_id not in self._shown:
            shown = self._shown[topic_id] = []
            controller = opened.controller
            opened.page.presented.connect(lambda result: shown.append(controller.recorded or result))
        return opened

    def reopen_run(self, opened: OpenPage, otherwise: Callable[[], None]) -> None:
        params = opened.page.form.params
        for earlier in self._shown[opened.page.topic.id]:
            recorded = isinstance(earlier, SavedRun)
            if (earlier.result if recorded else earlier).is_run_of(params):
                (opened.controller.show_recorded if recorded else opened.controller.show_result)(earlier)
                return
        super().reopen_run(opened, otherwise)


def _show(headless: HeadlessWindow, staging: Staging, number: int, step: Step) -> None:
    ready: list[bool] = []
    connection = staging.ready.connect(lambda: ready.append(True))
    staging.show(step)
    wait_for(lambda: bool(ready))
    staging.disconnect(connection)
    opened = headless.window.current
    if opened is None or (step.run and not has_run(opened)):
        sentence = "" if opened is None else opened.page.banner.sentence
        raise RunFailed(nth_step(number, as_text(sentence) or tr("The run has no result.")))
    headless.wait_until_drawn(opened)


def _with_caption(picture: QImage, caption: str, place: str) -> QImage:
    """The picture with a caption below it, and which step of how many it is."""
    colours = theme.current()
    image = QImage(picture.width(), picture.height() + CAPTION_PX, QImage.Format.Format_RGB32)
    image.fill(QColor(colours.surface))
    with QPainter(image) as painter:
        painter.drawImage(QPoint(), picture)
        band = QRect(0, picture.height(), picture.width(), CAPTION_PX)
        painter.setPen(QColor(colours.border_strong))
        painter.drawLine(band.topLeft(), band.topRight())
        inside = band.adjusted(_MARGIN_PX, 4, -_MARGIN_PX, -4)
        painter.setFont(theme.ui_font("small"))
        painter.setPen(QColor(colours.muted))
        painter.drawText(inside, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, place)
        room = painter.fontMetrics().horizontalAdvance(place) + 2 * _MARGIN_PX
        font, space = theme.ui_font("caption"), inside.adjusted(0, 0, -room, 0)
        painter.setFont(font)
        painter.setPen(QColor(colours.text))
        lines = wrapped(caption, font, space.width(), _LINES)
        painter.drawText(space, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, "\n".join(lines))
    return image


def _write(path: Path, data: bytes) -> Path:
    try:
        write_whole(path, data)
    except OSError as error:
        raise TilescopeError(
            tr("{path} cannot be written ({reason}): choose another folder.", path=str(path), reason=reason_of(error))
        ) from error
    return path
