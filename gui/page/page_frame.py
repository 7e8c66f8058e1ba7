"""The frame of every page: its title and question, its bars, what it shows, and the parameters beside it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from core.contracts.topic import Topic
from gui.translation import show_text
from gui.widgets.fitted_label import FittedLabel
from gui.zoom import Px

_SIDE_PX = Px(304)


def lay_out(page: QWidget, topic: Topic, bars: Sequence[QWidget], body: QWidget, side: QWidget) -> None:
    """`bars` are above the body of the page, from the top down; each is hidden while it has nothing to say."""
    title = QLabel()
    show_text(title.setText, topic.title)
    title.setProperty("role", "heading")
    header = QHBoxLayout()
    header.setContentsMargins(2, 0, 0, 0)
    header.setSpacing(12)
    header.addWidget(title)
    header.addWidget(FittedLabel(topic.question, role="question"), 1, Qt.AlignmentFlag.AlignBottom)
    centre = QVBoxLayout()
    centre.setContentsMargins(12, 8, 12, 8)
    centre.setSpacing(8)
    centre.addLayout(header)
    for bar in bars:
        centre.addWidget(bar)
    centre.addWidget(body, 1)
    side.setFixedWidth(_SIDE_PX)
    layout = QHBoxLayout(page)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    layout.addLayout(centre, 1)
    layout.addWidget(side)
