from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.contracts import registry
from core.contracts.events import Failed, Partial
from core.engine import Engine
from core.engine.warm_up import WarmUp
from tests.engine.helpers import TIMEOUT_S, TOPICS, StateLog, events_of, result_of, wait_for_event


def test_that_a_new_worker_tells_its_device_and_has_torch_before_anybody_asks() -> None:
    pytest.importorskip("torch")
    engine = Engine(topics=TOPICS)
    states = StateLog(engine)
    engine.start()
    states.wait_until(lambda state: state.device != "")
    assert engine.state.device == "cpu" or engine.state.device.startswith("cuda (")
    modules = wait_for_event(engine.submit("trouble", {"act": "modules"}, "cpu"), Partial).result.modules
    assert "torch" in modules
    engine.close()


def test_that_bad_input_and_quick_runs_do_not_wait_for_the_whole_warm_up() -> None:
    engine = Engine(topics=TOPICS)
    engine.start()
    [failed] = engine.submit("trouble", {"count": 7}, "cpu").drain()
    assert isinstance(failed, Failed)
    run = engine.submit("trouble", {"act": "wait"}, "cpu")
    run.cancel()
    assert events_of(run)
    engine.close()


def test_that_an_import_that_kills_workers_is_given_up_and_other_runs_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The three workers find no torch: importing it takes seconds and does not matter here.
    (tmp_path / "torch.py").write_text("raise ImportError('not here')")
    monkeypatch.syspath_prepend(tmp_path)
    engine = Engine(topics={"fatal": "tests.engine.fatal", **TOPICS})
    states = StateLog(engine)
    engine.start()
    states.wait_until(lambda _: [state.phase for state in states.states].count("restarting") == 2)
    result_of(engine.submit("trouble", {}, "cpu"))
    failed = events_of(engine.submit("fatal", {}, "cpu"))[-1]
    assert isinstance(failed, Failed)
    assert "exited with code 9" in str(failed.sentence)
    result_of(engine.submit("trouble", {}, "cpu"))
    engine.close()


def test_that_what_cannot_be_imported_does_not_end_the_warm_up() -> None:
    warm_up = WarmUp(find_device=lambda: 1 / 0, is_run_active=lambda: False, prepare_isolation=lambda packages: None)  # type: ignore[arg-type, return-value]
    warm_up.begin({"gone": "tests.engine.gone"})
    warm_up.begin({"gone": "tests.engine.gone"})
    assert warm_up.over.wait(TIMEOUT_S)
    assert warm_up.device_known.is_set()
    assert warm_up.device == ""


def test_that_libraries_are_imported_ahead_of_a_run_and_one_that_is_missing_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    imported: list[str] = []
    topic = registry.topic("trouble", TOPICS)
    here = replace(topic, libraries="tests.engine.helpers:wait_for_event")
    monkeypatch.setattr("tests.engine.helpers.wait_for_event", lambda: imported.append("libraries"))
    gone = replace(topic, libraries="tests.engine.gone:import_all")
    monkeypatch.setattr(registry, "topic", lambda topic_id, packages: {"gone": gone, "here": here}[topic_id])
    warm_up = WarmUp(find_device=str, is_run_active=lambda: False, prepare_isolation=lambda packages: None)
    warm_up.begin({"gone": "", "here": ""})
    assert warm_up.over.wait(TIMEOUT_S)
    assert imported == ["libraries"]


def test_that_waiting_for_the_right_to_import_can_be_cancelled() -> None:
    warm_up = WarmUp(find_device=str, is_run_active=lambda: False, prepare_isolation=lambda packages: None)

    class StopWaiting(Exception):
        pass

    def check_cancel() -> None:
        raise StopWaiting

    with warm_up.importing(lambda: None), pytest.raises(StopWaiting), warm_up.importing(check_cancel):
        pass
    with warm_up.importing(check_cancel):
        pass
