from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.engine import Engine

TOPICS = {"trouble": "tests.engine.trouble"}
TIMEOUT_S = 30.0


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """One engine for all tests that leave it, or its next worker, usable."""
    engine = Engine(topics=TOPICS, grace_s=0.5, warm_up=False)
    engine.start()
    yield engine
    engine.close()
