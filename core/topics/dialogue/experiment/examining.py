"""The doctor on the data file, or on the page's conversation, with progress. Workers only."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from core.chat.doctor import BrokenLine, FileProgress, IllConversation, Report, Severity, examine_file
from core.chat.doctor.examination import Examination as Doctor
from core.contracts.text import sentences, tr, tr_plural
from core.topics.dialogue.experiment.board import Board, Events
from core.topics.dialogue.plan import Plan, setup_of
from core.topics.dialogue.result import Examination
from core.topics.dialogue.subject import Subject

_LISTED_MESSAGES = 40


def examined(board: Board, planned: Plan, subject: Subject, estimate_s: float) -> Events:
    """Put the examination into the result. Raises InvalidParams for a file that cannot be read."""
    if board.params.data.strip():
        yield from _file(board, subject, estimate_s)
    else:
        _conversation(board, planned, subject)
    found = board.result.examined
    assert found is not None
    ill = [finding for finding in found.findings if finding.severity is Severity.ILL]
    for finding in ill[:_LISTED_MESSAGES]:
        board.warn(sentences(finding.sentence, finding.repair))
    if found.broken:
        board.warn(
            tr_plural(
                "{count:,} line of the data file is no conversation.",
                "{count:,} lines of the data file are no conversation.",
                count=found.broken,
            )
        )
    board.measured("doctor.ill", len(ill))
    board.measured("doctor.conversations", found.conversations)
    board.measured("doctor.ill_conversations", found.ill)
    board.measured("doctor.broken_lines", found.broken)
    board.measured("doctor.seconds", found.seconds, "s")
    board.done += estimate_s
    yield board.partial()


def _conversation(board: Board, planned: Plan, subject: Subject) -> None:
    started = perf_counter()
    doctor = Doctor(subject.tokenizer, subject.template, setup_of(board.params))
    complaints = doctor.examine_conversation(planned.conversation, 1) if planned.conversation is not None else []
    board.add(
        examined=Examination(
            findings=doctor.findings(),
            conversations=doctor.examined,
            ill=int(bool(complaints)),
            lengths=doctor.census.whole_lengths.astype(np.int32),
            targets=doctor.census.targets.astype(np.int32),
            share=1.0,
            seconds=perf_counter() - started,
            finished=True,
        )
    )


def _file(board: Board, subject: Subject, estimate_s: float) -> Events:
    path, started = board.params.data.strip(), perf_counter()
    examination = examine_file(
        path,
        subject.tokenizer,
        subject.template,
        setup_of(board.params),
        max_conversations=board.params.max_lines,
        field="data",
    )
    rows: list[IllConversation] = []
    broken: list[BrokenLine] = []
    try:
        while True:
            try:
                progress: FileProgress = next(examination)
            except StopIteration as stop:
                _report(board, path, stop.value)
                return
            rows += progress.new_ill
            broken += progress.new_broken
            share = progress.read_bytes / progress.total_bytes if progress.total_bytes else 1.0
            text = tr("examining: {count:,} conversations, {ill:,} ill", count=progress.conversations, ill=progress.ill)
            yield board.progress(share * estimate_s, text)
            if board.is_due():
                board.add(
                    examined=Examination(
                        data=path,
                        ill_rows=tuple(rows),
                        broken_lines=tuple(broken),
                        conversations=progress.conversations,
                        broken=progress.broken,
                        ill=progress.ill,
                        share=share,
                        seconds=perf_counter() - started,
                    )
                )
                yield board.partial()
    finally:
        examination.close()


def _report(board: Board, path: str, report: Report) -> None:
    board.add(
        examined=Examination(
            data=path,
            findings=report.findings,
            ill_rows=report.ill_rows,
            broken_lines=report.broken_lines,
            conversations=report.conversations,
            broken=report.broken,
            ill=report.ill,
            lengths=report.lengths.astype(np.int32),
            targets=report.targets.astype(np.int32),
            share=1.0,
            seconds=report.seconds,
            finished=True,
        )
    )
