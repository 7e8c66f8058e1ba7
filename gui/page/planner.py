"""From the parameters of a page to its plan: at once, or beside the GUI thread where a file has to be opened."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer

from core.contracts.params import Params
from core.contracts.topic import Topic
from gui.page.file_work import FileWork

_REST_MS = 16
"""The least time between two plans: a slider may fire hundreds of times per second, and the latest value wins."""


class Planner(QObject):
    """Shows the plan of the newest parameters of a view, which tells by `params_changed` that there are newer ones.
    `show_problem` gets the error of parameters that have no plan."""

    def __init__(
        self, topic: Topic, view: Any, show_problem: Callable[[Exception], None], parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._topic, self._view, self._show_problem = topic, view, show_problem
        self._has_plan = self._has_failed = False
        self._reader = FileWork(self._fail, self)
        self._planned_at = 0.0
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.show_plan)
        view.params_changed.connect(self._on_params)

    @property
    def busy(self) -> bool:
        """Whether the plan of the newest parameters is still being made."""
        return self._reader.busy

    def plan(self, params: Params) -> Any:
        """The plan of these parameters; None after showing why there is none."""
        try:
            return self._topic.plan(params)
        except Exception as error:
            self._show_problem(error)
        return None

    def show_plan(self) -> None:
        """Plan the newest parameters and draw the plan, now."""
        self._timer.stop()
        params = self._view.params
        self._reader.forget()
        if self._topic.opens_files(params):
            self._plan_beside(params)
        else:
            self._show(params, self.plan(params))

    def catch_up(self) -> None:
        """Show the plan now if it only rests."""
        if self._timer.isActive():
            self.show_plan()

    def _plan_beside(self, params: Params) -> None:
        """Plan in a thread: opening a file takes as long as the disk, or the network behind it, does."""
        if not self._has_plan:  # something to look at meanwhile
            blank = self._topic.without_files(params)
            self._show(blank, self.plan(blank))
        self._view.keep_plan(params)
        self._reader.read(lambda: self._topic.plan(params), lambda plan: self._show(params, plan))

    def _show(self, params: Params, plan: Any) -> None:
        if plan is not None:
            if self._has_failed:
                self._view.clear_error()
            self._view.show_plan(plan, params)
            self._has_plan = True
        else:
            self._view.keep_plan(params)
        self._has_failed = plan is None
        self._planned_at = time.monotonic()

    def _fail(self, error: Exception) -> None:
        self._show_problem(error)
        self._has_failed = True

    def _on_params(self, _params: Params) -> None:
        """Plan in the next turn of the event loop, or _REST_MS after the last plan, with the newest parameters then."""
        if not self._timer.isActive():
            rested_ms = int((time.monotonic() - self._planned_at) * 1e3)
            self._timer.start(max(0, _REST_MS - rested_ms))
