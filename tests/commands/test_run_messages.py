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


def test_that_the_remarks_of_a_page_come_before_the_messages_of_a_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    masks = topic("masks")
    params = masks.params.parse({"query_text": "a b <pad>", "expression": "window(9)", "lengths": "4"})
    result = masks.result(params=params, environment=Environment("cpu", "numpy"), messages=MESSAGES)
    remarks = [str(warning.text) for warning in masks.plan(params).warnings]
    rows = as_document(result, [])["messages"]
    assert [row["text"] for row in rows] == [*remarks, *(str(message.text) for message in MESSAGES)]
    assert {row["severity"] for row in rows} == {"warning", "notice"}
    monkeypatch.setenv("COLUMNS", "400")
    print_tables(masks, result, [])
    printed = capsys.readouterr().out
    assert len(remarks) > 2
    assert all(remark in printed for remark in remarks)
