"""In a module with a function `new_page`, `page` is as new for each of its tests: see tests/gui/copies.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QWidget

from tests.gui.copies import Copies
from tests.gui.latest_work import join_latest_work

_COPIES = pytest.StashKey[Copies]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_COPIES] = Copies(config)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    return item.config.stash[_COPIES].run(item, nextitem) or None


@pytest.fixture
def page(request: pytest.FixtureRequest, qtbot: Any) -> Iterator[QWidget]:
    copied = request.config.stash[_COPIES].page
    if copied is None:
        made: QWidget = request.module.new_page()
        qtbot.addWidget(made)
        yield made
    else:
        yield copied
        copied.close()  # it need not be deleted, which would take longer than most tests: its process ends here
        join_latest_work()
        QApplication.processEvents()  # what came last begins when the one before is done
    join_latest_work()
