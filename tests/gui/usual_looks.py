"""The looks in which every test begins."""

from __future__ import annotations

from PySide6.QtWidgets import QApplication

from gui import motion, theme, zoom


def begin_in_usual_looks(app: QApplication) -> None:
    """The dark theme, texts of the usual size, and motion."""
    if motion.is_reduced():
        motion.use(reduced=False)
    if zoom.factor() != 1:
        theme.set_zoom(app, 1)
    if theme.current().name != "dark" or app.font() != theme.ui_font():
        theme.apply(app, "dark")
    if app.style().name() != theme.STYLE.lower():
        app.setStyle(theme.STYLE)
