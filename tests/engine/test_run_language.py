"""A file that a run writes itself is in the language of whoever submitted the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core import language
from core.checkpoint.export import TITLE
from core.contracts.events import Finished
from core.engine import Engine
from tests.engine.helpers import events_of

SMALL = {"blocks": 4, "kernels": False, "outputs": False, "compare": "nf4"}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(warm_up=False)
    engine.start()
    yield engine
    engine.close()


def first_line_of_report(engine: Engine, file: Path, code: str) -> str:
    """The first line of a report whose run is submitted in that language, and ends in another one."""
    with language.using(code):
        run = engine.submit("quantization", {**SMALL, "report": str(file)}, "cpu")
    assert isinstance(events_of(run)[-1], Finished)
    return file.read_text(encoding="utf-8").splitlines()[0]


def test_that_a_report_is_in_the_language_of_its_caller(engine: Engine, tmp_path: Path) -> None:
    for code in ("zh", "en", "zh"):
        line = first_line_of_report(engine, tmp_path / "report.md", code)
        assert line.startswith(f"# {TITLE.in_language(code)}")
    assert TITLE.in_language("zh") != TITLE.in_language("en")
