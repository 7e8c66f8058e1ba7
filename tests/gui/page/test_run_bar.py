from __future__ import annotations

from typing import Any

import pytest

from gui.page.run_bar import RunBar


@pytest.fixture
def bar(qtbot: Any) -> RunBar:
    made = RunBar()
    qtbot.addWidget(made)
    made.show()
    return made


def test_that_run_asks_for_the_device_that_was_chosen(bar: RunBar) -> None:
    devices: list[str] = []
    bar.run_requested.connect(devices.append)
    bar.run_button.click()
    bar.device.setCurrentText("cpu")
    bar.run_button.click()
    assert devices == ["auto", "cpu"]


def test_that_nothing_runs_while_the_parameters_are_impossible(bar: RunBar) -> None:
    devices: list[str] = []
    bar.run_requested.connect(devices.append)
    bar.set_valid(False)
    bar.request_run()
    assert not devices
    assert not bar.run_button.isEnabled()


def test_that_cancel_is_only_possible_during_a_run(bar: RunBar) -> None:
    cancelled: list[bool] = []
    bar.cancel_requested.connect(lambda: cancelled.append(True))
    bar.request_cancel()
    assert not bar.cancel_button.isEnabled()
    bar.show_started("Waiting for the worker")
    assert bar.running
    bar.cancel_button.click()
    bar.show_ended("Cancelled", completed=False)
    assert cancelled == [True]
    assert not bar.running
    assert bar.progress.value() == 0


def test_that_progress_fills_the_bar_and_names_the_phase(bar: RunBar) -> None:
    bar.show_started("Waiting for the worker")
    bar.show_progress(3, 4, "tracing flash")
    assert bar.progress.value() == pytest.approx(0.75 * bar.progress.maximum())
    assert bar.phase == "tracing flash"
    bar.show_progress(0, 0, "Running on cpu")
    assert bar.progress.value() == 0
    bar.show_ended("Done on cpu", completed=True)
    assert bar.progress.value() == bar.progress.maximum()
