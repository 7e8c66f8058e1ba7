"""A picture and tables on paper: here, a PDF file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtGui import QPageLayout
from PySide6.QtPrintSupport import QPrinter
from PySide6.QtWidgets import QApplication, QLabel

from core.contracts.errors import TilescopeError
from gui import theme
from gui.page.paper_theme import light_theme
from gui.page.printing import MOST_ROWS, print_on, printer_for
from gui.widgets.data_table import DataTable
from gui.widgets.latest_work import LatestWork


def printer_to(path: Path) -> QPrinter:
    made = QPrinter(QPrinter.PrinterMode.ScreenResolution)
    made.setOutputFormat(QPrinter.OutputFormat.PdfFormat)
    made.setOutputFileName(str(path))
    return made


def pages_in(path: Path) -> int:
    data = path.read_bytes()
    assert data.startswith(b"%PDF")
    return data.count(b"/Type /Page\n") + data.count(b"/Type /Page ")


@pytest.fixture
def picture(qtbot: Any) -> QLabel:
    made = QLabel("a picture")
    qtbot.addWidget(made)
    made.resize(400, 300)
    return made


def test_that_a_picture_is_one_page_and_each_table_begins_another(picture: QLabel, tmp_path: Path) -> None:
    table = DataTable(("name", "value"), (("a <b>", 1.5), ("c", None)))
    print_on(printer_to(tmp_path / "one.pdf"), [picture], "where it is from", [])
    print_on(printer_to(tmp_path / "three.pdf"), [picture], "where it is from", [table, table])
    assert pages_in(tmp_path / "one.pdf") == 1
    assert pages_in(tmp_path / "three.pdf") == 3


def test_that_a_long_table_takes_several_pages_and_not_all_there_are(picture: QLabel, tmp_path: Path) -> None:
    counts = []
    for rows in (MOST_ROWS, 20 * MOST_ROWS):
        path = tmp_path / f"{rows}.pdf"
        print_on(printer_to(path), [picture], "", [DataTable(("row",), tuple((row,) for row in range(rows)))])
        counts.append(pages_in(path))
    assert counts[0] > 3
    assert counts[1] - counts[0] <= 1


def test_that_a_place_that_cannot_be_written_is_one_sentence(picture: QLabel, tmp_path: Path) -> None:
    with pytest.raises(TilescopeError, match="Nothing can be printed there"):
        print_on(printer_to(tmp_path / "missing" / "folder.pdf"), [picture], "", [])


def test_that_each_picture_has_a_page(picture: QLabel, tmp_path: Path) -> None:
    print_on(printer_to(tmp_path / "two.pdf"), [picture, picture], "", [])
    assert pages_in(tmp_path / "two.pdf") == 2


def test_that_paper_is_light_whatever_the_window_is(picture: QLabel, qapp: QApplication) -> None:
    work = LatestWork(picture)  # it paints in another thread, in the colours of the moment
    drawn: list[str] = []
    work.done.connect(drawn.append)
    theme.notifier().changed.connect(lambda colours: work.request(lambda: colours.name))
    theme.apply(qapp, "dark")
    with light_theme(picture):
        assert drawn[-1] == theme.current().name == "light"
        assert picture.updatesEnabled()
        assert QApplication.palette().window().color().lightness() > 200
    assert theme.current().name == "dark"
    assert QApplication.palette().window().color().lightness() < 60


def test_that_a_wide_picture_is_printed_on_a_wide_page(picture: QLabel) -> None:
    assert printer_for(picture).pageLayout().orientation() == QPageLayout.Orientation.Landscape
    picture.resize(300, 400)
    assert printer_for(picture).pageLayout().orientation() == QPageLayout.Orientation.Portrait
