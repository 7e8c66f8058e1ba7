"""Devices are added, tested, removed and put back in their dialog, and the pages offer them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest

from core.contracts.errors import TilescopeError
from core.contracts.events import Failed, Finished
from core.contracts.text import tr
from core.contracts.topic import Topic
from core.engine.addresses import SchedulerAddress
from core.engine.inspection import DeviceReport, Inspection, WorkerReport
from core.engine.remote_device import RemoteDevice
from core.engine.worker_facts import facts_of_this_process
from gui.devices.book import DeviceBook
from gui.devices.dialog import DevicesDialog
from gui.page.engine_bridge import EngineBridge
from gui.window.main_window import MainWindow
from gui.window.settings import Settings
from tests.gui.doubles import FakeEngine, ToyParams, ToyResult
from tests.gui.windows import Windows

LAB = RemoteDevice("lab", "tls://gpu-box:8786", "/keys")
OPEN = RemoteDevice("open", "tcp://gpu-box:1")
REPORT = DeviceReport((WorkerReport("tls://10.0.0.1:1", facts_of_this_process(runs=0)),), 0.5)


@dataclass
class FakeInspections:
    """Tests that answer when they are told to."""

    addresses: list[SchedulerAddress | None] = field(default_factory=list)
    answers: list[Callable[[Any], object]] = field(default_factory=list)
    cancelled: int = 0

    def __call__(self, address: SchedulerAddress | None, on_done: Callable[[Any], object]) -> FakeInspections:
        self.addresses.append(address)
        self.answers.append(on_done)
        return self

    def start(self) -> None:
        pass

    def cancel(self) -> None:
        self.cancelled += 1


@pytest.fixture
def inspections() -> FakeInspections:
    return FakeInspections()


@pytest.fixture
def book(settings: Settings, qapp: Any) -> DeviceBook:
    return DeviceBook(settings)


@pytest.fixture
def dialog(book: DeviceBook, inspections: FakeInspections, qtbot: Any) -> DevicesDialog:
    made = DevicesDialog(book, inspections)
    made.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)  # pytest-qt deletes it
    qtbot.addWidget(made)
    made.show()
    return made


def shown_names(dialog: DevicesDialog) -> list[str]:
    return [dialog.list.item(row).text() for row in range(dialog.list.count())]


def test_that_a_device_is_added_tested_and_remembered(
    dialog: DevicesDialog, settings: Settings, inspections: FakeInspections
) -> None:
    dialog.add.click()
    QTest.keyClicks(dialog.form.address, "gpu-box:9000")
    QTest.keyClicks(dialog.form.folder, "/keys")
    assert "python main.py worker tls://gpu-box:9000 --folder tilescope-credentials" in dialog.form.steps.commands
    dialog.form.add.click()
    assert shown_names(dialog) == ["This machine", "gpu-box"]
    assert inspections.addresses[-1] == SchedulerAddress("tls://gpu-box:9000", Path("/keys"))
    inspections.answers[-1](REPORT)
    assert dialog.view.report.sentence == "1 worker, which is free; it answered in 500 ms."
    assert f"torch {REPORT.workers[0].facts.versions['torch']}" in dialog.view.report.text
    assert DeviceBook(settings).devices == (RemoteDevice("gpu-box", "tls://gpu-box:9000", "/keys"),)


@pytest.mark.parametrize(
    ("address", "name", "said"),
    [
        ("nonsense", "", "is not a scheduler's address"),
        ("tcp://host:1", "", "has no encryption"),
        ("host:1", "cuda", "There is a device 'cuda' already"),
    ],
)
def test_that_what_cannot_be_added_is_one_sentence_and_stays_in_the_form(
    dialog: DevicesDialog, book: DeviceBook, address: str, name: str, said: str
) -> None:
    dialog.add.click()
    dialog.form.address.setText(address)
    dialog.form.name.setText(name)
    dialog.form.add.click()
    assert said in dialog.form.problem
    assert dialog.form.address.text() == address
    assert not book.devices


def test_that_a_test_that_fails_says_why(dialog: DevicesDialog, inspections: FakeInspections) -> None:
    inspections.answers[-1](TilescopeError(tr("Nothing is there.")))
    assert dialog.view.report.text == "Nothing is there."
    assert dialog.view.test.isEnabled()


def test_that_the_answer_to_a_cancelled_test_is_dropped(dialog: DevicesDialog, inspections: FakeInspections) -> None:
    assert not dialog.view.test.isEnabled()
    dialog.view.cancel.click()
    assert inspections.cancelled == 1
    inspections.answers[-1](REPORT)
    assert dialog.view.report.text == ""


def test_that_another_device_does_not_get_the_answer(
    dialog: DevicesDialog, book: DeviceBook, inspections: FakeInspections
) -> None:
    for device in (LAB, OPEN):
        dialog._add(device)
    dialog.list.setCurrentRow(1)
    inspections.answers[-1](REPORT)
    assert dialog.view.report.text == ""


def test_that_closing_the_dialog_cancels_the_test(dialog: DevicesDialog, inspections: FakeInspections) -> None:
    dialog.close()
    assert inspections.cancelled == 1
    inspections.answers[-1](REPORT)


def test_that_a_real_test_can_be_cancelled_and_leaves_no_thread(qtbot: Any) -> None:
    heard: list[Any] = []
    inspection = Inspection(SchedulerAddress("tls://127.0.0.1:9", Path("/no/such/folder")), heard.append)
    inspection.cancel()
    inspection.start()
    inspection.thread.join(30)
    assert not inspection.thread.is_alive()
    assert not heard
    answered = Inspection(SchedulerAddress("tls://127.0.0.1:9", Path("/no/such/folder")), heard.append)
    answered.start()
    answered.thread.join(30)
    assert "There are no credentials in /no/such/folder" in str(heard[0])


def test_that_a_removed_device_comes_back_where_it_was(dialog: DevicesDialog, book: DeviceBook) -> None:
    for device in (LAB, OPEN):
        dialog._add(device)
    dialog.list.setCurrentRow(1)
    dialog.remove.click()
    assert shown_names(dialog) == ["This machine", "open"]
    dialog.undo.click()
    assert book.devices == (LAB, OPEN)
    assert dialog.chosen == LAB
    assert not dialog.undo.isEnabled()


def test_that_a_name_that_is_taken_again_is_not_put_back(book: DeviceBook) -> None:
    book.add(LAB)
    book.remove(LAB)
    book.add(RemoteDevice("Lab", "tls://other:1"))
    assert not book.can_undo


def test_that_damaged_devices_are_left_out(settings: Settings, qapp: Any) -> None:
    settings.devices = [LAB.as_json(), 7, {"name": "x"}, LAB.as_json(), {**OPEN.as_json(), "url": "http://x"}]
    assert DeviceBook(settings).devices == (LAB,)
    settings._store.setValue("devices", "[[[")
    assert DeviceBook(settings).devices == ()


def test_that_a_command_is_copied(dialog: DevicesDialog) -> None:
    dialog._add(LAB)
    last = len(dialog.view.steps.commands)
    dialog.view.steps.copy(last)
    assert QGuiApplication.clipboard().text().startswith("python main.py worker tls://gpu-box:8786")


@pytest.fixture
def remotes() -> list[FakeEngine]:
    return []


@pytest.fixture
def bridge(engine: FakeEngine, remotes: list[FakeEngine], qapp: Any) -> Iterator[EngineBridge]:
    def make_remote(device: RemoteDevice) -> FakeEngine:
        remotes.append(FakeEngine(device.name))
        return remotes[-1]

    made = EngineBridge(lambda: engine, make_remote=make_remote)
    made.find_remote = {LAB.name: LAB}.get
    yield made
    made.close()


def test_that_a_run_goes_to_the_device_that_was_chosen(
    bridge: EngineBridge, engine: FakeEngine, remotes: list[FakeEngine]
) -> None:
    here, there = bridge.submit("toy", ToyParams(), "cpu"), bridge.submit("toy", ToyParams(), "lab")
    bridge.submit("toy", ToyParams(), "lab")
    assert engine.runs == [here]
    assert [run.device for run in remotes[0].runs] == ["auto", "auto"]
    assert there in remotes[0].runs
    assert len(remotes) == 1


def test_that_a_lost_connection_is_made_anew_by_the_next_run(bridge: EngineBridge, remotes: list[FakeEngine]) -> None:
    lost = bridge.submit("toy", ToyParams(), "lab")
    heard: list[Any] = []
    bridge.run_event.connect(lambda run, event: heard.append((run, event)))
    remotes[0].tell("failed")
    lost.post(Failed(tr("It is gone.")))
    bridge.drain()
    assert heard == [(lost, Failed(tr("It is gone.")))]
    again = bridge.submit("toy", ToyParams(), "lab")
    assert remotes[1].runs == [again]


def test_that_an_unknown_device_is_left_to_the_engine_to_refuse(bridge: EngineBridge, engine: FakeEngine) -> None:
    bridge.submit("toy", ToyParams(), "gone")
    assert engine.runs[0].device == "gone"


def test_that_a_removed_device_is_disconnected_once_nothing_runs_there(
    bridge: EngineBridge, remotes: list[FakeEngine], result: ToyResult, qtbot: Any
) -> None:
    run = bridge.submit("toy", ToyParams(), "lab")
    bridge.disconnect_from(LAB)
    assert not remotes[0].closed
    run.post(Finished(result))
    bridge.drain()
    bridge.disconnect_from(LAB)
    qtbot.waitUntil(lambda: remotes[0].closed)


@pytest.fixture
def window(settings: Settings, windows: Windows, topic: Topic) -> MainWindow:
    settings.devices = [LAB.as_json()]
    settings.set_page_state("toy", {"device": "lab"})
    return windows.show({"toy": topic})


def test_that_pages_offer_the_devices_and_remember_the_choice(window: MainWindow, remotes: list[FakeEngine]) -> None:
    opened = window.open_page("toy")
    assert opened is not None
    choice = opened.page.run_bar.device
    assert choice.device == "lab"
    opened.page.run_bar.request_run()
    assert remotes[0].runs[0].topic_id == "toy"
    assert opened.page.run_bar.phase == "Waiting for a worker of lab"
    remotes[0].runs[0].post(Failed(tr("The scheduler is gone.")))
    window._bridge.drain()
    assert opened.page.banner.sentence == "The scheduler is gone."
    assert opened.page.banner.restart.isHidden()  # the worker of this machine has nothing to do with it
    window.devices.book.remove(LAB)
    assert choice.device == "auto"
    window.devices.book.undo_remove()
    assert "lab" in [choice.itemText(index) for index in range(choice.count())]


def test_that_the_device_choice_opens_the_dialog_and_stays_as_it_was(window: MainWindow) -> None:
    opened = window.open_page("toy")
    assert opened is not None
    choice = opened.page.run_bar.device
    choice.showPopup()
    choice.setCurrentIndex(choice.count() - 1)
    choice.activated.emit(choice.count() - 1)
    choice.hidePopup()
    assert choice.device == "lab"
    assert choice.currentText() == "lab"
    dialog = window.devices.dialog
    assert dialog is not None
    dialog.close()
    assert window.devices.dialog is None


def test_that_arrow_keys_do_not_open_the_dialog(window: MainWindow) -> None:
    opened = window.open_page("toy")
    assert opened is not None
    choice = opened.page.run_bar.device
    for _ in range(5):
        QTest.keyClick(choice, Qt.Key.Key_Down)
    assert choice.device == "lab"
    assert window.devices.dialog is None
