"""The messages of a run, in the tables and in the JSON of `run`."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from core.commands.run import as_document, print_tables
from core.contracts.registry import topic
from core.contracts.result import Environment, Message, Result

TOPIC = topic("quantization")
MESSAGES = (
    Message("warning", "a.safetensors has changed. 3 tensors are missing, h.[red]0[/].w among them."),
    Message("notice", "2 tensors were measured by an earlier run and not read again."),
)


def result_with(*messages: Message) -> Result:
    return TOPIC.result(params=TOPIC.params(), environment=Environment("cpu", "numpy"), messages=messages)


def test_that_json_holds_every_message() -> None:
    document = json.loads(json.dumps(as_document(result_with(*MESSAGES), [])))
    assert document["messages"] == [asdict(message) for message in MESSAGES]
    assert as_document(result_with(), [])["messages"] == []


def test_that_the_tables_end_with_every_message_unchanged(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    print_tables(TOPIC, result_with(*MESSAGES), [])
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip().split(maxsplit=1) for line in lines[-2:]] == [[row.severity, row.text] for row in MESSAGES]
    print_tables(TOPIC, result_with(), [])
    assert "message" not in capsys.readouterr().out
