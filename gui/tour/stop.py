"""One stop of a tour: what is lit, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtWidgets import QWidget

from core.contracts.text import EMPTY, Text


@dataclass(frozen=True)
class Stop:
    """`target` brings the widget into view and returns it; None where there is none: the stop has only words then.

    `advice` is what to try, in a paragraph of its own.
    """

    title: Text
    text: Text
    target: Callable[[], QWidget | None]
    advice: Text = EMPTY
