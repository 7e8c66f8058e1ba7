"""A page that is open, with what drives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gui.page.controller import Controller
    from gui.page.page import Page


@dataclass(frozen=True)
class OpenPage:
    """A page that was visited, with what drives it."""

    page: Page
    controller: Controller
