"""Kernel-lab through the engine: the file runs only in the worker, even if it ends its process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.contracts.events import Cancelled, Failed, Finished, Started
from core.engine import Engine
from core.topics.kernel_lab import TOPIC
from core.topics.kernel_lab.params import KernelLabParams
from tests.engine.helpers import GRACE_S, TIMEOUT_S, events_of, result_of, wait_for_event

pytest.importorskip("triton")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(grace_s=GRACE_S, warm_up=False)
    engine.start()
    yield engine
    engine.close()


def written(folder: Path, text: str) -> KernelLabParams:
    path = folder / "mine_in_a_worker.py"
    path.write_text(text)
    return KernelLabParams(file=str(path))


def test_that_the_process_of_the_window_never_imports_the_file(engine: Engine, tmp_path: Path) -> None:
    note = tmp_path / "ran-in"
    params = written(
        tmp_path,
        f"import os\nopen({str(note)!r}, 'a').write(f'{{os.getpid()}} ')\n"
        "def main(): k[1]()\nraise ValueError('seen')\n",
    )
    assert TOPIC.plan(params).function == "main"
    TOPIC.check(params)
    assert not note.exists(), "a plan reads and does not run"
    end = events_of(engine.submit("kernel-lab", params, "cpu"))[-1]
    assert isinstance(end, Failed)
    assert end.invalid_input
    assert end.blames == "file"
    assert f"{params.file}:4: importing the file raised ValueError: seen." == str(end.sentence)
    (pid,) = note.read_text().split()
    assert int(pid) != os.getpid()
    assert "mine_in_a_worker" not in sys.modules


def test_that_a_file_that_loops_for_ever_is_cancelled_and_the_next_run_works(engine: Engine, tmp_path: Path) -> None:
    started = tmp_path / "started"
    params = written(
        tmp_path, f"def main():\n    open({str(started)!r}, 'w')\n    while True:\n        pass\n    k[1]()\n"
    )
    run = engine.submit("kernel-lab", params, "cpu")
    wait_for_event(run, Started)
    run.cancel()
    assert isinstance(events_of(run)[-1], Cancelled)
    result = result_of(engine.submit("kernel-lab", KernelLabParams(), "cpu"))
    assert result.value("read_bytes") == 2 * 98_432 * 4


def test_that_a_file_that_ends_the_process_is_a_sentence_and_the_next_run_works(engine: Engine, tmp_path: Path) -> None:
    params = written(tmp_path, "import os\ndef main():\n    os._exit(7)\n    k[1]()\n")
    end = events_of(engine.submit("kernel-lab", params, "cpu"))[-1]
    assert isinstance(end, Failed)
    assert end.sentence
    assert "\n" not in str(end.sentence)
    again = engine.submit("kernel-lab", KernelLabParams(function="main"), "cpu")
    assert isinstance(list(again.stream(TIMEOUT_S))[-1], Finished)
