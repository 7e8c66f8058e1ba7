"""Data files: JSONL and JSON, whole and broken."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from core.chat import dataset
from core.chat.dataset import Line, file_bytes, read_conversations
from core.contracts.errors import InvalidParams

TURNS = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}


def written(folder: Path, data: str | bytes, name: str = "data.jsonl") -> Path:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def lines(path: Path) -> list[Line]:
    return list(read_conversations(path))


def test_that_each_line_is_a_conversation_and_empty_lines_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, f"{json.dumps(TURNS)}\n\n{json.dumps(TURNS['messages'])}\n  \n{json.dumps(TURNS)}")
    found = lines(path)
    assert [line.number for line in found] == [1, 3, 5]
    assert all(line.conversation and not line.problem for line in found)
    assert found[-1].read_bytes == file_bytes(path) == path.stat().st_size


def test_that_broken_lines_are_told_and_the_rest_is_read(tmp_path: Path) -> None:
    good = json.dumps(TURNS).encode()
    broken = [b'{"messages": [', b'"text"', b'{"messages": [{"content": "?"}]}', b'{"a": "\xff"}', b"[" * 100_000]
    found = lines(written(tmp_path, b"\n".join([good, *broken, good])))
    assert [bool(line.conversation) for line in found] == [True, *[False] * len(broken), True]
    told = [str(line.problem) for line in found[1:-1]]
    assert told[0] == "Not valid JSON at character 15: Expecting value."
    assert told[2] == "Message 1 has no role: give it one of system, user, assistant, tool."
    assert told[3] == "Byte 8 is not UTF-8."
    assert told[4] == "The JSON is nested too deep, or has too long a number."
    assert all(told)


def test_that_a_line_that_is_too_long_is_skipped_without_being_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "MAX_LINE_BYTES", 100)
    path = written(tmp_path, f"{json.dumps(TURNS)}\n{'x' * 1000}\n{json.dumps(TURNS)}\n")
    found = lines(path)
    assert [(line.number, bool(line.conversation)) for line in found] == [(1, True), (2, False), (3, True)]
    assert str(found[1].problem) == "The line is longer than 100 B."
    assert found[-1].read_bytes == path.stat().st_size


@pytest.mark.parametrize("indent", [None, 2])
def test_that_a_json_array_of_conversations_is_read_too(tmp_path: Path, indent: int | None) -> None:
    path = written(tmp_path, json.dumps([TURNS, {"messages": 3}, TURNS], indent=indent), "data.json")
    found = lines(path)
    assert [(line.number, bool(line.conversation)) for line in found] == [(1, True), (2, False), (3, True)]
    assert found[-1].read_bytes == path.stat().st_size


def test_that_an_array_that_is_too_large_or_broken_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (broken,) = lines(written(tmp_path, '[\n{"messages": []},\n'))
    assert "Not valid JSON" in str(broken.problem)
    monkeypatch.setattr(dataset, "MAX_ARRAY_BYTES", 100)
    (large,) = lines(written(tmp_path, json.dumps([TURNS, TURNS])))
    assert "write one conversation per line" in str(large.problem)


def test_that_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    (line,) = lines(written(tmp_path, b"\xef\xbb\xbf" + json.dumps(TURNS).encode()))
    assert line.conversation


def test_that_only_regular_files_are_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, tmp_path / "missing.jsonl"):
        with pytest.raises(InvalidParams) as error:
            list(read_conversations(path, "data"))
        assert error.value.field == "data"
        assert str(path) in error.value.sentence
