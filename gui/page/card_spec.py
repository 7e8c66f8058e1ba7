"""What a page declares about its pictures: where each is, its title, and its help."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtWidgets import QWidget

from core.contracts.result import Provenance
from core.contracts.text import Text


@dataclass(frozen=True)
class Strip:
    """A thin picture of fixed height above the cards, across the whole page."""

    content: QWidget


@dataclass(frozen=True)
class CardSpec:
    """A framed picture in the grid of a page.

    `width` is its share of the row, `height` the row's share of the grid. With `under`, the key of another card, it is
    below that one in the same column, and `upper_height` and `height` are their shares of the column. `minimum_px` is
    the least height at which it can be read: a lower window scrolls. `provenance` is that of its badge at first.
    """

    key: str
    content: QWidget
    title: Text
    help: Text
    row: int = 0
    column: int = 0
    width: int = 1
    height: int = 1
    under: str = ""
    upper_height: int = 1
    minimum_px: int = 0
    provenance: Provenance | None = None
