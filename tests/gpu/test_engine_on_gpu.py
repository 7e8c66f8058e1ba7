from __future__ import annotations

import pytest

pytest.importorskip("distributed")

from core.contracts.events import Failed, Started
from core.engine import Engine
from tests.engine.helpers import TOPICS, events_of, result_of

pytestmark = pytest.mark.gpu


def test_that_a_broken_cuda_context_costs_the_worker_and_not_the_next_run() -> None:
    engine = Engine(topics=TOPICS, warm_up=False)
    engine.start()
    started, *_, failed = events_of(engine.submit("trouble", {"act": "break-cuda"}, "cuda"))
    assert isinstance(started, Started)
    assert started.device.startswith("cuda (")
    assert isinstance(failed, Failed)
    result_of(engine.submit("trouble", {"act": "use-cuda"}, "cuda"))
    engine.close()
