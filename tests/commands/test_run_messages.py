"""What a run has to say besides its numbers: in the tables and in the JSON of `run`."""

from __future__ import annotations

import json

import pytest

from core.commands.run import as_document, print_tables
from core.contracts.registry import topic
from core.contracts.result import Environment, Result

TOPIC = topic("quantization")
TOLD = [
    {"severity": "warning", "text": "a.safetensors has changed. 3 tensors are missing, h.[red]0[/].w among them."},
    {"severity": "notice", "text": "2 tensors were measured by an earlier run and not read again."},
]


def result_with(messages: list[dict[str, str]]) -> Result:
    tables = {"messages": messages} if messages else {}
    return Result(TOPIC.id, {}, Environment("cpu", "numpy", {}), {}, tables=tables)


def test_that_json_holds_every_message() -> None:
    document = json.loads(json.dumps(as_document(result_with(TOLD), [])))
    assert document["messages"] == TOLD
    assert as_document(result_with([]), [])["messages"] == []


def test_that_the_tables_end_with_every_message_as_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    print_tables(TOPIC, result_with(TOLD), [])
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip().split(maxsplit=1) for line in lines[-2:]] == [[row["severity"], row["text"]] for row in TOLD]
    print_tables(TOPIC, result_with([]), [])
    assert "message" not in capsys.readouterr().out
