from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from core.engine import Engine, Run
from tests.engine.helpers import GRACE_S, TOPICS, Submit, result_of


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """One engine for all tests after which it is still usable, if only with a new worker."""
    engine = Engine(topics=TOPICS, grace_s=GRACE_S, warm_up=False)
    engine.start()
    yield engine
    engine.close()


@pytest.fixture
def submit(engine: Engine) -> Submit:
    """`submit('wait', count=3)` runs that act of the topic `trouble` on the CPU."""

    def submit_act(act: str, **values: Any) -> Run:
        return engine.submit("trouble", {"act": act, **values}, "cpu")

    return submit_act


@pytest.fixture
def worker_pid(submit: Submit) -> Callable[[], int]:
    """Returns the id of the process that currently runs experiments."""
    return lambda: int(result_of(submit("finish")).value("pid"))
