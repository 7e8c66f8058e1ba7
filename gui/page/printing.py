"""Prints a picture with its line of origin, and tables of numbers on the pages after it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QTextDocument
from PySide6.QtWidgets import QWidget

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr
from gui import theme
from gui.page.paper_theme import light_theme
from gui.widgets.data_table import DataTable, Value

if TYPE_CHECKING:
    from PySide6.QtPrintSupport import QPrinter

MOST_ROWS = 500
"""Rows of a table that are printed: what is longer is for files."""
_FOOTER_SHARE = 0.05
_DIGITS = 6
_POINTS = 8.0
_DOTS_PER_INCH = 150
"""Lines of charts are a dot or two wide at any size: with more dots they would hardly be seen on paper."""


def ask_and_print(parent: QWidget, pictures: Sequence[QWidget], footer: str, tables: Sequence[DataTable]) -> None:
    """Ask for a printer, or for a PDF file, and print there. Raises TilescopeError where that fails."""
    from PySide6.QtPrintSupport import QPrintDialog  # needed by few, and not before they ask

    printer = printer_for(pictures[0])
    dialog = QPrintDialog(printer, parent)
    dialog.setWindowTitle(str(tr("Print")))
    if dialog.exec():
        print_on(printer, pictures, footer, tables)


def printer_for(picture: QWidget) -> QPrinter:
    """A printer with pages as wide or as high as the picture; the dialog can change that."""
    from PySide6.QtGui import QPageLayout
    from PySide6.QtPrintSupport import QPrinter

    printer = QPrinter(QPrinter.PrinterMode.HighResolution)
    printer.setResolution(_DOTS_PER_INCH)
    if picture.width() > picture.height():
        printer.setPageOrientation(QPageLayout.Orientation.Landscape)
    return printer


def print_on(printer: QPrinter, pictures: Sequence[QWidget], footer: str, tables: Sequence[DataTable]) -> None:
    """Each picture in the light theme, as large as a page allows, with `footer` below it, then the tables. Raises
    TilescopeError."""
    with light_theme(pictures[0]), QPainter() as painter:
        if not painter.begin(printer):
            raise TilescopeError(
                tr("Nothing can be printed there: choose another printer, or another place for the PDF file.")
            )
        page = QRectF(painter.viewport())
        for number, picture in enumerate(pictures):
            if number:
                printer.newPage()
            _paint_picture(painter, page, picture)
            _write_footer(painter, page, footer)
        for table in tables:
            _print_table(printer, painter, page, table)


def _font() -> QFont:
    """The font of texts on paper: its size is in points, which are the same at every resolution."""
    font = theme.ui_font()
    font.setPointSizeF(_POINTS)
    return font


def _paint_picture(painter: QPainter, page: QRectF, picture: QWidget) -> None:
    room = page.height() * (1 - 2 * _FOOTER_SHARE)
    scale = min(page.width() / max(1, picture.width()), room / max(1, picture.height()))
    painter.save()
    painter.scale(scale, scale)
    painter.fillRect(picture.rect(), QColor(theme.current().background))
    picture.render(painter, QPoint())
    painter.restore()


def _write_footer(painter: QPainter, page: QRectF, footer: str) -> None:
    high = page.height() * _FOOTER_SHARE
    painter.setFont(_font())
    painter.setPen(Qt.GlobalColor.black)
    where = QRectF(page.left(), page.bottom() - high, page.width(), high)
    painter.drawText(where, int(Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap), footer)


def _print_table(printer: QPrinter, painter: QPainter, page: QRectF, table: DataTable) -> None:
    document = QTextDocument()
    document.documentLayout().setPaintDevice(printer)
    document.setDefaultFont(_font())
    document.setHtml(_html(table))
    document.setPageSize(page.size())
    for number in range(document.pageCount()):
        printer.newPage()
        painter.save()
        painter.translate(0, -number * page.height())
        document.drawContents(painter, QRectF(0, number * page.height(), *QSizeF(page.size()).toTuple()))
        painter.restore()


def _html(table: DataTable) -> str:
    """Black on white, whatever the theme is."""
    head = "".join(f"<th align='left'>{escape(column)}</th>" for column in table.columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(_shown(value))}</td>' for value in row)}</tr>" for row in table.rows[:MOST_ROWS]
    )
    left_out = len(table.rows) - MOST_ROWS
    more = tr("{count:,} more rows are not printed: save the data as a file.", count=left_out) if left_out > 0 else ""
    return f"<body style='color:#000000'><table cellpadding='4'><tr>{head}</tr>{rows}</table>{_paragraph(more)}</body>"


def _paragraph(text: Text | str) -> str:
    return f"<p>{escape(str(text))}</p>" if text else ""


def _shown(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}" if math.isfinite(value) else "—"
    return "—" if value is None else str(value)
