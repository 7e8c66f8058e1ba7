"""A text in a fixed number of lines, with an ellipsis where it does not fit."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QFontMetrics, QTextLayout, QTextOption

LINE_FLAGS = int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter) | int(Qt.TextFlag.TextDontClip)
"""To draw a line with. One with Chinese characters is higher than a Latin one: clipped to it, underscores are lost."""


def wrapped(text: str, font: QFont, width: float, max_lines: int) -> list[str]:
    """The lines of `text` in `width` pixels, broken between words; the last of `max_lines` ends with an ellipsis."""
    option = QTextOption()
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    layout = QTextLayout(text, font)
    layout.setTextOption(option)
    starts = []
    layout.beginLayout()
    while len(starts) <= max_lines and (line := layout.createLine()).isValid():
        line.setLineWidth(max(1.0, width))
        starts.append(line.textStart())
    layout.endLayout()
    ends = [*starts[1:], len(text)]
    lines = [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    if len(lines) > max_lines:
        rest = text[starts[max_lines - 1] :].strip()
        elided = QFontMetrics(font).elidedText(rest, Qt.TextElideMode.ElideRight, int(width))
        return [*lines[: max_lines - 1], elided]
    return lines
