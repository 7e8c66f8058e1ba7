"""Tests of a page run in copies of one process: the page is built once per module, and no test sees what another did.

Building, showing and closing a page takes half a second of computing time, ten times as long as most tests of it. A
copy (`os.fork`) takes milliseconds. Where there is none, or a debugger is asked for, each test builds its own page.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import warnings
from types import ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtWidgets import QApplication, QWidget

from tests.gui.latest_work import join_latest_work
from tests.gui.usual_looks import begin_in_usual_looks


class Copies:
    """Runs the tests of modules that have a function `new_page`."""

    def __init__(self, config: pytest.Config) -> None:
        self._can_copy = sys.platform == "linux" and not config.getoption("usepdb") and not config.getoption("trace")
        self._module: ModuleType | None = None
        self.page: QWidget | None = None
        """The page of the module whose tests are running, in the process that is copied and in the copies."""

    def run(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Run the test in a copy, and report it. False if it has to run in this process."""
        module = getattr(item, "module", None)
        if not self._can_copy or not hasattr(module, "new_page"):
            return False
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        if module is not self._module:
            self._build(module, item.config)
        for report in self._reports_of_copy(item, nextitem):
            item.ihook.pytest_runtest_logreport(report=report)
        if getattr(nextitem, "module", None) is not module:
            self._close()
        item.session._setupstate.teardown_exact(nextitem)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _build(self, module: ModuleType, config: pytest.Config) -> None:
        app = QApplication.instance() or QApplication([])
        assert isinstance(app, QApplication)
        self._app = app
        config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # one folder for all copies
        begin_in_usual_looks(app)
        self._module, self.page = module, module.new_page()
        app.processEvents()
        join_latest_work()
        app.processEvents()
        gc.collect()
        gc.freeze()  # nothing of it has to be looked through in a copy

    def _close(self) -> None:
        if self.page is not None:
            self.page.close()
            self.page.deleteLater()
        self._module = self.page = None
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        self._app.processEvents()

    def _reports_of_copy(self, item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # other threads only wait for xdist
            copy = os.fork()
        if copy == 0:
            self._run_and_exit(item, nextitem, writing)
        os.close(writing)
        try:
            with os.fdopen(reading, "rb") as pipe:
                data = pipe.read()
        except pytest.fail.Exception as problem:  # it takes too long
            _end(copy)
            return [_failed(item, str(problem))]
        except BaseException:
            _end(copy)
            raise
        _, status = os.waitpid(copy, 0)
        if not data:
            return [_failed(item, f"The process of this test ended with status {os.waitstatus_to_exitcode(status)}.")]
        loaded: list[dict[str, Any]] = pickle.loads(data)
        return [item.config.hook.pytest_report_from_serializable(config=item.config, data=each) for each in loaded]

    def _run_and_exit(self, item: pytest.Item, nextitem: pytest.Item | None, writing: int) -> None:
        """In the copy: all that is left of it is what goes through the pipe."""
        try:
            if self.page is not None and "page" not in item.fixturenames:  # type: ignore[attr-defined]
                self.page.close()
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            hook = item.config.hook
            data = [hook.pytest_report_to_serializable(config=item.config, report=report) for report in reports]
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(pickle.dumps(data))
        finally:
            os._exit(0)


def _end(process: int) -> None:
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def _failed(item: pytest.Item, sentence: str) -> pytest.TestReport:
    return pytest.TestReport(item.nodeid, item.location, {}, "failed", sentence, "call")
