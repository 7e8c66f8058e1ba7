"""What a test changes is not there in the next one, and what fails in a copy fails here."""

from __future__ import annotations

import sys

import pytest
from PySide6.QtWidgets import QLabel

built: list[str] = []


def new_page() -> QLabel:
    built.append("page")
    label = QLabel("new")
    label.show()
    return label


@pytest.mark.parametrize("turn", ["first", "second"])
def test_that_a_page_is_as_new_in_every_test(page: QLabel, turn: str) -> None:
    assert page.text() == "new"
    assert page.isVisible()
    page.setText(turn)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux copies processes")
@pytest.mark.parametrize("turn", ["first", "second"])
def test_that_it_is_built_once(page: QLabel, turn: str) -> None:
    assert built == ["page"]


@pytest.mark.xfail(strict=True, reason="it fails, as it should")
def test_that_a_failure_in_a_copy_is_one(page: QLabel) -> None:
    assert page.text() == "old"
