"""Examines a data file of any length, conversation by conversation, in bounded memory.

    examination = examine_file(path, tokenizer, template, setup)
    for progress in examination:    # to cancel, stop here and close the generator
        print(progress.read_bytes / progress.total_bytes, progress.ill)

The generator returns a `Report`; `report_of` runs it to the end.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.chat.dataset import file_bytes, read_conversations
from core.chat.doctor.census import LossOf
from core.chat.doctor.examination import Examination
from core.chat.doctor.findings import Finding, Severity
from core.chat.doctor.setup import TrainingSetup
from core.chat.messages import Conversation
from core.chat.rendering import ChatTemplate
from core.chat.tokenizer import ChatTokenizer
from core.contracts.text import Text
from core.outside import shown_name

MAX_LISTED = 10_000
"""Ill conversations and broken lines that a report lists, of each; all are counted."""

_SECONDS_BETWEEN = 0.1
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class IllConversation:
    """A row of the table of what is ill: the line of the conversation, its ids of `FAILURES`, and what is said of each.

    `tokens` is its length before anything is cut, `targets` what is left to learn from; both 0 if the template refuses
    it. `text` is the beginning of what the user says first, so that one finds it again.
    """

    line: int
    failures: tuple[str, ...]
    sentences: tuple[Text, ...]
    tokens: int
    targets: int
    text: str = ""


@dataclass(frozen=True)
class BrokenLine:
    """A line that is no conversation, and why."""

    line: int
    problem: Text


@dataclass(frozen=True)
class FileProgress:
    """How far the examination is. `new_ill` and `new_broken` are what was found since the last progress."""

    read_bytes: int
    total_bytes: int
    conversations: int
    ill: int
    broken: int
    new_ill: tuple[IllConversation, ...] = ()
    new_broken: tuple[BrokenLine, ...] = ()


@dataclass(frozen=True)
class Report:
    """What was found in a data file.

    findings       one verdict per failure, in the order of `FAILURES`
    ill, broken    how many conversations are ill, and how many lines are no conversation
    ill_rows, broken_lines  the first of them
    lines          int64 [conversations that the template renders]: the line of each
    lengths        int64 [the same]: tokens, before anything is cut
    targets        int64 [the same]: tokens that are left to learn from
    seconds        of the examination, measured
    """

    findings: tuple[Finding, ...]
    conversations: int
    ill: int
    broken: int
    ill_rows: tuple[IllConversation, ...]
    broken_lines: tuple[BrokenLine, ...]
    lines: NDArray[np.int64] = field(compare=False)
    lengths: NDArray[np.int64] = field(compare=False)
    targets: NDArray[np.int64] = field(compare=False)
    seconds: float = field(compare=False)

    @property
    def is_ill(self) -> bool:
        """Whether anything is: the template, the setup, a conversation, or a line."""
        return self.broken > 0 or any(finding.severity is Severity.ILL for finding in self.findings)

    @property
    def seconds_per_million_tokens(self) -> float:
        """Which is the same as per thousand conversations of 1,000 tokens. NaN without tokens."""
        tokens = int(self.lengths.sum())
        return self.seconds / tokens * 1e6 if tokens else float("nan")


def examine_file(
    path: str | Path,
    tokenizer: ChatTokenizer,
    template: ChatTemplate,
    setup: TrainingSetup | None = None,
    *,
    max_conversations: int | None = None,
    loss_of: LossOf | None = None,
    field: str | None = None,
) -> Generator[FileProgress, None, Report]:
    """Examine the conversations of a JSONL or JSON file; the first `max_conversations` if that is given.

    Yields a progress about ten times per second, and one at the end. Raises InvalidParams for the parameter `field` if
    the file cannot be read, and for a setup that does not fit the tokenizer.
    """
    begun = time.perf_counter()
    total = file_bytes(path, field)
    examination = Examination(tokenizer, template, setup, loss_of=loss_of)
    found = _Found()
    yielded, read = time.perf_counter(), 0
    for line in read_conversations(path, field):
        read = line.read_bytes
        if line.conversation is None:
            found.add_broken(BrokenLine(line.number, line.problem))
        else:
            complaints = examination.examine_conversation(line.conversation, line.number)
            if complaints:
                tokens, targets = examination.census.last_of(line.number)
                said: dict[str, Text] = {}
                for complaint in complaints:
                    said.setdefault(complaint.failure, complaint.sentence)
                text = _beginning(line.conversation)
                found.add_ill(IllConversation(line.number, tuple(said), tuple(said.values()), tokens, targets, text))
        now = time.perf_counter()
        if now - yielded > _SECONDS_BETWEEN:
            yielded = now
            yield found.progress(read, total, examination.examined)
        if max_conversations is not None and examination.examined >= max_conversations:
            break
    yield found.progress(read, total, examination.examined)
    return found.report(examination, time.perf_counter() - begun)


def _beginning(conversation: Conversation) -> str:
    """The first words of the user, or of whoever speaks first if there is no user."""
    messages = conversation.messages
    first = next((message for message in messages if message.role == "user"), messages[0] if messages else None)
    return "" if first is None else shown_name(first.content, _SHOWN_CHARACTERS)


def report_of(examination: Generator[FileProgress, None, Report]) -> Report:
    """Runs an examination to its end."""
    while True:
        try:
            next(examination)
        except StopIteration as stop:
            report: Report = stop.value
            return report


class _Found:
    """What is ill so far: the first rows, and counts of all."""

    def __init__(self) -> None:
        self._ill: list[IllConversation] = []
        self._broken: list[BrokenLine] = []
        self._ill_count = self._broken_count = 0
        self._told_ill = self._told_broken = 0

    def add_ill(self, row: IllConversation) -> None:
        self._ill_count += 1
        if len(self._ill) < MAX_LISTED:
            self._ill.append(row)

    def add_broken(self, line: BrokenLine) -> None:
        self._broken_count += 1
        if len(self._broken) < MAX_LISTED:
            self._broken.append(line)

    def progress(self, read: int, total: int, conversations: int) -> FileProgress:
        new_ill, new_broken = tuple(self._ill[self._told_ill :]), tuple(self._broken[self._told_broken :])
        self._told_ill, self._told_broken = len(self._ill), len(self._broken)
        return FileProgress(read, total, conversations, self._ill_count, self._broken_count, new_ill, new_broken)

    def report(self, examination: Examination, seconds: float) -> Report:
        census = examination.census
        return Report(
            findings=examination.findings(),
            conversations=examination.examined,
            ill=self._ill_count,
            broken=self._broken_count,
            ill_rows=tuple(self._ill),
            broken_lines=tuple(self._broken),
            lines=census.numbers,
            lengths=census.whole_lengths,
            targets=census.targets,
            seconds=seconds,
        )
