from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.sessions import Session, SessionFile, last_crash

OPEN = Session("lora", {"lora": {"params": {"rank": 4}}, "masks": {"tab": 1}})

WRITE_AND_DIE = """
import os, sys
from pathlib import Path
from core.sessions import Session, SessionFile
SessionFile(Path(sys.argv[1])).write(Session(sys.argv[2], {sys.argv[2]: {"tab": 1}} if sys.argv[2] else {}))
os._exit(1)
"""


def crash(folder: Path, view: str) -> None:
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(folder), view], check=False)


def test_that_a_window_that_is_open_or_was_closed_left_nothing(tmp_path: Path) -> None:
    file = SessionFile(tmp_path)
    assert last_crash(tmp_path / "none") is None
    file.write(OPEN)
    assert last_crash(tmp_path) is None
    file.remove()
    file.remove()
    assert list(tmp_path.iterdir()) == []


def test_that_the_newest_session_of_a_process_that_is_gone_is_found_and_can_be_forgotten(tmp_path: Path) -> None:
    crash(tmp_path, "masks")
    crash(tmp_path, "lora")
    crash(tmp_path, "")
    newest = max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    assert json.loads(newest.read_text())["view"] == "", "nothing was open in it"
    found = last_crash(tmp_path)
    assert found is not None
    assert found.session == Session("lora", {"lora": {"tab": 1}})
    found.forget()
    assert last_crash(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_that_another_process_with_the_number_of_a_crashed_one_is_not_it(tmp_path: Path) -> None:
    file = tmp_path / f"{os.getppid()}.json"
    document = {"started_at": 1.0, "view": "lora", "pages": {"lora": {}}}
    file.write_text(json.dumps(document))
    found = last_crash(tmp_path)
    assert found is not None
    assert found.session.view == "lora"


@pytest.mark.parametrize("text", ["", "[]", "{not json", "\0", '{"pages": 7}', '{"pages": {"a": 3}, "view": []}'])
def test_that_a_damaged_file_offers_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "1234567.json").write_text(text)
    (tmp_path / "notes.json").write_text(text)
    assert last_crash(tmp_path) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.dictionaries(st.text(), inner))
)
def test_that_no_content_is_an_error(tmp_path: Path, content: object) -> None:
    (tmp_path / "1234567.json").write_text(json.dumps({"pages": content, "started_at": content, "view": content}))
    found = last_crash(tmp_path)
    assert found is None or found.session.pages
