"""No page opens with an empty card: on a fresh profile, every page shows the recorded run that comes with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QCoreApplication

from core.contracts import registry
from core.contracts.result import Provenance
from core.engine.history import History
from gui.page.engine_bridge import EngineBridge
from gui.widgets.figure import Figure
from gui.widgets.table_view import TableOrSentence
from gui.window.history import HistoryKeeper
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from tests.gui.doubles import FakeEngine
from tests.gui.latest_work import join_latest_work


@pytest.fixture
def window(settings: Settings, tmp_path: Path, qtbot: Any) -> Iterator[MainWindow]:
    """As a user sees it who starts the program for the first time, and whose worker is still starting."""
    keeper = HistoryKeeper(lambda: History(tmp_path / "history.sqlite3"))
    bridge = EngineBridge(FakeEngine)
    window = MainWindow(bridge, settings, keeper=keeper)
    qtbot.addWidget(window)
    window.resize(1280, 720)
    window.show()
    yield window
    join_latest_work()
    window.close()
    bridge.close()
    keeper.close()


@pytest.mark.parametrize("topic_id", registry.TOPICS)
def test_that_no_page_opens_with_an_empty_card(window: MainWindow, topic_id: str, qtbot: Any) -> None:
    opened = window.open_page(topic_id)
    assert opened is not None
    page, controller = opened.page, opened.controller
    qtbot.waitUntil(lambda: controller.result is not None)
    while controller.planning or page.drawing:
        QCoreApplication.processEvents()
    join_latest_work()
    QCoreApplication.processEvents()

    assert [key for key, card in page.cards.items() if card.is_empty] == []
    assert [figure.empty_sentence for figure in page.stage.findChildren(Figure) if _says_nothing(figure)] == []
    assert [table.sentence for table in page.stage.findChildren(TableOrSentence) if _says_nothing(table)] == []

    assert controller.recorded is not None
    assert page.recorded.isVisible()
    assert "Recorded on cpu" in page.run_bar.phase
    shown = {card.badge.shown for card in page.cards.values()}
    assert Provenance.RECORDED in shown or shown == {Provenance.MODELLED}
    assert not {provenance for provenance in shown if provenance is not None and provenance.is_of_a_run}
    assert not any(card.property("stale") for card in page.cards.values())


def _says_nothing(view: Figure | TableOrSentence) -> bool:
    return view.is_empty and view.isVisible()


def test_that_changed_parameters_mark_the_recorded_run_as_outdated(window: MainWindow, qtbot: Any) -> None:
    opened = window.open_page("lora")
    assert opened is not None
    qtbot.waitUntil(lambda: opened.controller.recorded is not None)
    opened.page.form.propose(opened.page.params.changed(steps=200))
    cards = opened.page.cards.values()
    qtbot.waitUntil(lambda: any(card.property("stale") for card in cards))
    assert {card.badge.shown for card in cards if card.property("stale")} == {Provenance.RECORDED}
    opened.page.form.reset()
    qtbot.waitUntil(lambda: not any(card.property("stale") for card in cards))
