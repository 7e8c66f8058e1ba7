from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.gui.home.home_doubles import Opened, open_home
from tests.gui.latest_work import join_latest_work


@pytest.fixture
def opened(tmp_path: Path, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    monkeypatch.setenv("TILESCOPE_DATA_DIR", str(tmp_path))
    opened = open_home(tmp_path, qtbot)
    yield opened
    opened.home.close_down()
    opened.bridge.close()
    join_latest_work()
