"""`run dialogue` in a data pipeline: its exit status, and what it prints of the doctor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from core.commands import run as command
from core.topics.dialogue import TOPIC
from core.topics.dialogue.params import DialogueParams
from tests.topics.dialogue_runs import finished

SOUND = '{"messages": [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hi."}]}'
UNANSWERED = '{"messages": [{"role": "user", "content": "Is anybody there?"}]}'


@pytest.fixture(autouse=True)
def without_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def no_engine(device: Any) -> Iterator[tuple[None, str]]:
        yield None, "cpu"

    monkeypatch.setattr(command, "engine_for", no_engine)
    monkeypatch.setattr(command, "run_once", lambda engine, topic, params, device: finished(params)[0])
    monkeypatch.setattr(command, "find_topic", lambda topic_id: TOPIC)


def _run(capsys: pytest.CaptureFixture[str], file: Path) -> tuple[int, dict[str, Any]]:
    status = command.run_topic("dialogue", [f"data={file}"], device="cpu", as_json=True)
    return status, json.loads(capsys.readouterr().out)


def test_that_a_sound_file_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "sound.jsonl"
    file.write_text(f"{SOUND}\n{SOUND}\n")
    status, document = _run(capsys, file)

    assert status == 0
    assert not document["doctor"]["is_ill"]
    assert document["doctor"]["conversations"] == 2
    assert {finding["severity"] for finding in document["doctor"]["findings"]} <= {"ok", "not applicable"}
    assert {claim["verdict"] for claim in document["claims"]} == {"not tested here"}


def test_that_an_ill_conversation_exits_1_and_is_told_with_its_line_and_repair(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ill.jsonl"
    file.write_text(f"{SOUND}\n{UNANSWERED}\n")
    status, document = _run(capsys, file)

    assert status == 1
    (row,) = document["doctor"]["ill"]
    assert row["line"] == 2
    assert "no-target" in row["failures"]
    assert row["text"] == "Is anybody there?"
    ill = {found["failure"]: found for found in document["doctor"]["findings"] if found["severity"] == "ill"}
    assert ill["no-target"]["repair"]
    assert ill["no-target"]["evidence"][0]["conversation"] == 2


def test_that_a_line_that_is_no_conversation_exits_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "broken.jsonl"
    file.write_text(f"{SOUND}\nnot json\n")
    status, document = _run(capsys, file)

    assert status == 1
    assert [line["line"] for line in document["doctor"]["broken"]] == [2]


def test_that_an_ill_template_exits_1_and_its_tables_say_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    file = tmp_path / "sound.jsonl"
    file.write_text(SOUND)
    jinja = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}"
    assignments = [f"data={file}", "template=pasted", f"jinja={jinja}"]

    assert command.run_topic("dialogue", assignments, device="cpu", as_json=False) == 1
    assert "warning" in capsys.readouterr().out


def test_that_other_topics_exit_0_and_print_nothing_more() -> None:
    from core.contracts.topic import nothing_more, succeeded
    from core.topics.lora import TOPIC as OTHER

    assert OTHER.exit_status is succeeded
    assert OTHER.json_details is nothing_more
    result, _ = finished(DialogueParams(data="", experiments="none"))
    assert succeeded(result) == 0
    assert nothing_more(result) == {}
