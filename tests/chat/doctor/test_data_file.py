"""A data file is examined line by line: verdicts per conversation, broken lines, progress, cancelling, and memory."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest

from core.chat.doctor import FileProgress, Severity, TrainingSetup, data_file, examine_file, report_of
from core.chat.messages import Conversation
from core.contracts.errors import InvalidParams
from tests.chat.doctor.patients import chat, template, tokenizer

GOOD = chat("What color is the sky?", "It is blue.")
LONG = chat("Count.", "one two three four five six seven eight nine ten eleven twelve")
NO_ANSWER = chat("Anyone?")
INDENTED_TWICE = chat("Hello?", "Yes.", "Hello?")


def written(folder: Path, *lines: Conversation | str) -> Path:
    path = folder / "data.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line.as_dict()) for line in lines))
    return path


def test_that_each_conversation_gets_a_verdict_and_broken_lines_are_listed(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD, "{broken", NO_ANSWER, LONG, '{"messages": 1}')
    report = report_of(examine_file(path, tokenizer(), template(), TrainingSetup(max_length=40)))
    assert (report.conversations, report.ill, report.broken) == (3, 2, 2)
    assert [(row.line, row.failures) for row in report.ill_rows] == [
        (3, ("no-target",)),
        (4, ("truncation-removes-answer",)),
    ]
    assert [line.line for line in report.broken_lines] == [2, 5]
    assert str(report.ill_rows[0].sentences[0]).startswith("The conversation has no answer to learn from")
    assert report.lines.tolist() == [1, 3, 4]
    assert report.ill_rows[1].tokens == report.lengths[2] > 40
    assert report.is_ill
    counted = {finding.failure: finding.conversations for finding in report.findings if finding.conversations}
    assert counted == {"no-target": 1, "truncation-removes-answer": 1}


def test_that_a_sound_file_is_not_ill(tmp_path: Path) -> None:
    report = report_of(examine_file(written(tmp_path, GOOD, LONG), tokenizer(), template()))
    assert not report.is_ill
    assert report.conversations == len(report.lengths) == 2
    assert report.targets.tolist() == [9, 41]
    assert report.seconds_per_million_tokens == pytest.approx(report.seconds / report.lengths.sum() * 1e6)


def test_that_conversations_that_the_template_refuses_are_counted(tmp_path: Path) -> None:
    strict = template(
        "{%- if messages | length > 2 -%}{{ raise_exception('two only') }}{%- endif -%}" + template().source
    )
    report = report_of(examine_file(written(tmp_path, GOOD, chat("a", "b", "c", "d")), tokenizer(), strict))
    (row,) = report.ill_rows
    assert (row.line, row.failures, row.tokens) == (2, ("template-refuses",), 0)
    assert "two only" in str(row.sentences[0])
    assert report.conversations == 2
    assert len(report.lengths) == 1


def test_that_progress_tells_what_is_new_and_a_closed_generator_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_file, "_SECONDS_BETWEEN", 0.0)
    path = written(tmp_path, GOOD, NO_ANSWER, "broken", GOOD)
    steps = list(examine_file(path, tokenizer(), template()))
    assert [step.conversations for step in steps] == [1, 2, 2, 3, 3]
    assert [len(step.new_ill) for step in steps] == [0, 1, 0, 0, 0]
    assert [len(step.new_broken) for step in steps] == [0, 0, 1, 0, 0]
    assert steps[-1].read_bytes == steps[-1].total_bytes == path.stat().st_size

    examination = examine_file(path, tokenizer(), template())
    first = next(examination)
    assert isinstance(first, FileProgress)
    examination.close()
    assert not list(examination)


def test_that_no_more_conversations_are_examined_than_asked_for(tmp_path: Path) -> None:
    report = report_of(examine_file(written(tmp_path, *[GOOD] * 5), tokenizer(), template(), max_conversations=2))
    assert report.conversations == 2


def test_that_the_table_is_bounded_and_the_counts_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_file, "MAX_LISTED", 2)
    path = written(tmp_path, *[NO_ANSWER] * 5, *["broken"] * 4)
    report = report_of(examine_file(path, tokenizer(), template()))
    assert (report.ill, len(report.ill_rows), report.broken, len(report.broken_lines)) == (5, 2, 4, 2)


def test_that_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(lines: int) -> int:
        path.write_text(text * lines)
        tracemalloc.start()
        try:
            report_of(examine_file(path, tokenizer(), template()))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    path = tmp_path / "large.jsonl"
    text = json.dumps(chat(*["word " * 100] * 4).as_dict()) + "\n"
    peak(1)
    assert peak(80) - peak(20) < 30 * len(text), "60 lines more take less than half of their text"


def test_that_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParams) as error:
        report_of(examine_file(tmp_path / "missing", tokenizer(), template(), field="data"))
    assert error.value.field == "data"


def test_that_an_ill_template_makes_a_file_of_sound_conversations_ill(tmp_path: Path) -> None:
    dated = template("{{ strftime_now('%d') }}" + template().source)
    report = report_of(examine_file(written(tmp_path, GOOD), tokenizer(), dated))
    assert report.is_ill
    assert report.ill == 0
    assert [finding.failure for finding in report.findings if finding.severity is Severity.ILL] == ["date-injected"]
