"""Every control has a name for screen readers, is reached by keyboard, and shows that it has the focus."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from core import language
from core.contracts.place import Place
from core.contracts.registry import TOPICS
from core.contracts.text import tr, verbatim
from core.contracts.written import Written
from core.demos import Step
from core.marks import marks_of
from gui import translation
from gui.charts.page_thumbs import PageThumbs
from gui.demos.editor import DemoEditor
from gui.devices.book import DeviceBook
from gui.devices.dialog import DevicesDialog
from gui.page.engine_bridge import EngineBridge
from gui.pages.dialogue.evidence_strip import EvidenceStrip
from gui.palette.palette import CommandPalette
from gui.window.actions import Action, Menu
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from gui.window.shortcuts import ShortcutsDialog
from tests.gui.control_walk import (
    controls_of,
    is_reachable,
    name_of,
    needs_name,
    shows_focus,
    tab_stops,
    takes_tab,
    where,
)
from tests.gui.doubles import TOPIC, FakeEngine
from tests.gui.example_pages import Example, open_example
from tests.gui.latest_work import join_latest_work
from tests.gui.text_walk import pictures_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def example(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path, qtbot: Any) -> Iterator[Example]:
    with open_example(request.param, settings, tmp_path, qtbot) as example:
        example.show_result()
        yield example


def faults_of(root: QWidget) -> set[str]:
    """Controls without a name or out of reach, in every language."""
    faults = set()
    for code in language.LANGUAGES:
        translation.use(code)
        for control in controls_of(root):
            if not name_of(control).strip() and needs_name(control):
                faults.add(f"no name in {code}: {where(control)}")
            if not is_reachable(control) and not needs_no_focus(control):
                faults.add(f"out of reach: {where(control)}")
    translation.use(language.ENGLISH)
    return faults


def needs_no_focus(control: QWidget) -> bool:
    """The line of the palette has all its keys, and prefixes are typed. Nothing happens when evidence of another
    conversation is clicked, or the thumbnail of a single matrix."""
    if isinstance(control, PageThumbs):
        return len(control.pages) < 2
    if isinstance(control, EvidenceStrip):
        return not control.is_own
    part: QWidget | None = control
    while part is not None and not isinstance(part, CommandPalette):
        part = part.parentWidget()
    return part is not None


def faults_of_focus(root: QWidget, first: QWidget) -> set[str]:
    """What Tab, pressed again and again from `first` on, does not reach, and what does not show the focus."""
    first.setFocus()
    stops = tab_stops()
    wanted = [each for each in controls_of(root) if takes_tab(each) and each.isVisible() and each.isEnabled()]
    missed = {f"Tab does not reach: {where(each)}" for each in wanted if each not in stops}
    return missed | {f"does not show the focus: {where(each)}" for each in wanted if not shows_focus(each)}


@pytest.mark.parametrize("example", TOPICS, indirect=True)
def test_that_every_control_of_a_page_has_a_name_is_reached_by_keyboard_and_shows_the_focus(example: Example) -> None:
    window = example.window
    window.offer.show_offer(verbatim("offered"), verbatim("accept"), lambda: None)
    faults: set[str] = set()
    window.activateWindow()
    for part in pictures_of(window.body):  # every tab and every switcher, one after the other
        if part is window.body:
            faults |= faults_of_focus(window, window.offer.dismiss)
        else:
            faults |= {
                f"does not show the focus: {where(each)}"
                for each in controls_of(part)
                if takes_tab(each) and each.isVisible() and each.isEnabled() and not shows_focus(each)
            }
    faults |= faults_of(window)
    page = example.opened.page
    faults |= {f"no card for a mark: {mark.card}" for mark in marks_of(page.topic.id) if mark.card not in page.cards}
    assert not faults, "\n" + "\n".join(sorted(faults))


def test_that_home_the_palette_the_dialogs_and_the_tour_have_names_and_are_reached(
    settings: Settings, qtbot: Any, qapp: QApplication
) -> None:
    bridge = EngineBridge(FakeEngine)
    window = MainWindow(bridge, settings, {TOPIC.id: TOPIC}, {TOPIC.id: "tests.gui.doubles:ToyPage"})
    qtbot.addWidget(window)
    window.resize(1280, 720)
    window.show()
    window.activateWindow()
    with qtbot.waitSignal(window.home.open().ready):
        pass
    window.show_shortcuts()
    window.toggle_palette()
    faults: set[str] = set()
    for root in [each for each in qapp.topLevelWidgets() if each.isVisible()]:
        faults |= faults_of(root)
    for dialog in window.findChildren(QDialog):
        dialog.close()
    window.toggle_palette()
    window.tours.begin()
    assert window.tours.shown is not None
    faults |= faults_of(window.tours.shown)
    faults |= {
        f"does not show the focus: {where(each)}"
        for each in window.tours.shown.bubble.buttons
        if each.isEnabled() and not shows_focus(each)
    }
    window.tours.end()
    join_latest_work()
    window.close()
    bridge.close()
    assert not faults, "\n" + "\n".join(sorted(faults))


DIALOGS: dict[type[QDialog], Callable[[Settings], QDialog]] = {
    DemoEditor: lambda _: DemoEditor((Step(Place("masks"), Written("Look.")), Step(Place("decoder"), Written("See.")))),
    DevicesDialog: lambda settings: DevicesDialog(DeviceBook(settings), lambda *_: Mock()),
    ShortcutsDialog: lambda _: ShortcutsDialog(
        (Menu(tr("&File"), (Action("open", tr("Open"), lambda: None, ("Ctrl+O",)),)),)
    ),
}


def test_that_every_dialog_of_the_program_is_walked() -> None:
    declared = re.compile(r"^class (\w+)\(QDialog\)", re.MULTILINE)
    sources = (file.read_text(encoding="utf-8") for file in (ROOT / "gui").rglob("*.py"))
    assert {name for source in sources for name in declared.findall(source)} == {kind.__name__ for kind in DIALOGS}


@pytest.mark.parametrize("kind", DIALOGS)
def test_that_every_control_of_a_dialog_has_a_name_is_reached_by_keyboard_and_shows_the_focus(
    kind: type[QDialog], settings: Settings, qtbot: Any
) -> None:
    dialog = DIALOGS[kind](settings)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.activateWindow()
    faults: set[str] = set()
    for look in (lambda: None, *([dialog.show_form] if isinstance(dialog, DevicesDialog) else [])):
        look()
        QApplication.processEvents()
        first = next(each for each in controls_of(dialog) if takes_tab(each) and each.isVisible() and each.isEnabled())
        faults |= faults_of(dialog) | faults_of_focus(dialog, first)
    dialog.close()
    assert not faults, "\n" + "\n".join(sorted(faults))
