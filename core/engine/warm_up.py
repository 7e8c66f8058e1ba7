"""Imports ahead of the first run, in a thread of the worker that pauses during runs."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial

from core.contracts import registry
from core.engine import isolation

_POLL_S = 0.05


class WarmUp:
    """Imports torch, triton, the experiments and their libraries one by one, and pauses while a run is active. Prepares
    the process that user code is forked from.

    Only one thread of the process imports at a time: two that import torch at once can see a partly imported module.
    """

    def __init__(
        self,
        find_device: Callable[[], str],
        is_run_active: Callable[[], bool],
        prepare_isolation: Callable[[Mapping[str, str]], None],
    ) -> None:
        self.device = ""
        self.device_known = threading.Event()
        self.over = threading.Event()
        self._find_device = find_device
        self._is_run_active = is_run_active
        self._prepare_isolation = prepare_isolation
        self._import_lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self, packages: Mapping[str, str]) -> None:
        """Start, unless it has already started."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, args=(packages,), name="warm-up", daemon=True)
            self._thread.start()

    @contextmanager
    def importing(self, check_cancel: Callable[[], None]) -> Iterator[None]:
        """Hold the import lock. `check_cancel` is called while waiting for the lock, and may raise."""
        while not self._import_lock.acquire(timeout=_POLL_S):
            check_cancel()
        try:
            yield
        finally:
            self._import_lock.release()

    def _work(self, packages: Mapping[str, str]) -> None:
        try:
            self._step(lambda: importlib.import_module("torch"))
            self._step(self._set_device)
            self.device_known.set()
            self._step(lambda: importlib.import_module("triton"))
            isolated = {topic_id: package for topic_id, package in packages.items() if _is_isolated(topic_id, packages)}
            here = [topic_id for topic_id in packages if topic_id not in isolated]
            for topic_id in here:
                self._step(partial(_import_experiment, topic_id, packages))
            for topic_id in here:
                self._step(partial(_import_libraries, topic_id, packages))
            if isolated:
                self._step(lambda: self._prepare_isolation(isolated))
        finally:
            self.device_known.set()
            self.over.set()

    def _set_device(self) -> None:
        self.device = self._find_device()

    def _step(self, work: Callable[[], object]) -> None:
        while self._is_run_active():
            time.sleep(_POLL_S)
        # The run that needs a module reports why it cannot be imported.
        with self._import_lock, suppress(Exception):
            work()


def _import_experiment(topic_id: str, packages: Mapping[str, str]) -> None:
    registry.topic(topic_id, packages).load_experiment()


def _is_isolated(topic_id: str, packages: Mapping[str, str]) -> bool:
    """False where the topic cannot be loaded: its run says why."""
    with suppress(Exception):
        return isolation.is_for(registry.topic(topic_id, packages))
    return False


def _import_libraries(topic_id: str, packages: Mapping[str, str]) -> None:
    registry.topic(topic_id, packages).load_libraries()
