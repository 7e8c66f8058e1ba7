"""Waiting for the threads of gui.widgets.latest_work: a test that ends while one draws must not leave it behind."""

from __future__ import annotations

import threading

from gui.widgets.latest_work import THREAD_NAME


def join_latest_work(timeout_s: float = 5.0) -> None:
    """Wait until no such thread runs. Their answers stay in the event loop."""
    for thread in threading.enumerate():
        if thread.name == THREAD_NAME:
            thread.join(timeout_s)
