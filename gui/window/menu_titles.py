"""The titles of the menus: what is seen of them before anything is chosen, so they are there at the first paint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.contracts.text import tr
from gui.translation import show_text

if TYPE_CHECKING:
    from PySide6.QtWidgets import QMenuBar

TITLES = (tr("&File"), tr("&Edit"), tr("&Run"), tr("&Play"), tr("&Demos"), tr("&View"), tr("&Help"))


def name_menus(bar: QMenuBar) -> None:
    """One menu per title, without entries."""
    for title in TITLES:
        show_text(bar.addMenu("").setTitle, title)
