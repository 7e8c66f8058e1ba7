from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

from gui.window import garbage
from gui.window.garbage import collected_on_gui_thread

CYCLES = 5000


class Node:
    """A reference cycle, which records the thread on which it is collected."""

    def __init__(self, died_on: set[threading.Thread]) -> None:
        self.itself, self.died_on = self, died_on

    def __del__(self) -> None:
        self.died_on.add(threading.current_thread())


def test_that_garbage_of_any_thread_dies_on_the_gui_thread(qtbot: Any) -> None:
    died_on: set[threading.Thread] = set()
    gc.enable()
    with collected_on_gui_thread():
        thread = threading.Thread(target=lambda: [Node(died_on) for _ in range(CYCLES)])
        thread.start()
        thread.join()
        assert not died_on
        qtbot.waitUntil(lambda: bool(died_on))
    assert died_on == {threading.main_thread()}
    assert gc.isenabled()


def test_that_collecting_stays_off_where_it_was_off(qapp: Any) -> None:
    gc.disable()
    with collected_on_gui_thread():
        pass
    assert not gc.isenabled()


def test_that_what_a_thread_reads_in_a_burst_is_not_looked_through(qtbot: Any) -> None:
    kept: list[list[int]] = []
    frozen = gc.get_freeze_count()
    with collected_on_gui_thread():
        thread = threading.Thread(target=lambda: kept.extend([number] for number in range(2 * garbage._BURST)))
        thread.start()
        thread.join()
        qtbot.waitUntil(lambda: gc.get_freeze_count() > frozen + garbage._BURST)
    gc.unfreeze()


def test_that_data_that_is_read_bit_by_bit_is_not_looked_through_either(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[list[int]] = []
    looked_through: list[int] = []
    frozen = gc.get_freeze_count()
    collector = garbage._Collector()
    monkeypatch.setattr(gc, "collect", lambda generation: looked_through.append(generation))
    gc.disable()
    for _ in range(30):
        kept.extend([number] for number in range(garbage._BURST // 4))
        collector.collect_what_is_due()
    gc.enable()
    assert gc.get_freeze_count() > frozen + 6 * garbage._BURST
    assert 2 not in looked_through
    gc.unfreeze()


def test_that_garbage_in_a_cycle_goes_while_little_is_made(qtbot: Any) -> None:
    died_on: set[threading.Thread] = set()
    collector = garbage._Collector()
    gc.disable()
    for _ in range(40):
        Node(died_on)
        kept = [[number] for number in range(1000)]
        collector.collect_what_is_due()
    gc.enable()
    assert died_on
    assert kept
