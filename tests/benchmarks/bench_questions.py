"""How long it takes to read and search the questions, and to answer all of them.

Target: searchable within 100 ms of a key; all questions that need no training are answered in under 300 s.

`python -m tests.benchmarks questions` reads and searches. `python -m tests.benchmarks.bench_questions --answer` also
makes every run that a fresh machine needs and prints the verdicts. `--record` keeps the durations, which decide the
order of 'Check all' on other machines. `--without-training` leaves out the questions that train models.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from core.commands.session import engine_for, run_once
from core.durations import RECORDED, RecordedRun, RecordedRuns
from core.engine.history import History
from core.hardware.host import host_facts
from core.questions.check_all import PlannedRun, plan_runs
from core.questions.question import QuestionBook
from core.questions.reading import read_questions
from core.questions.runs_here import RunsHere, label
from core.questions.search import QuestionSearch

QUERIES = (
    "what does flash attention save",
    "kv cache of llama in bytes per token",
    "trainnig lsos memoriztion",  # with typing mistakes: every word of the texts is compared
    "为什么要除以根号 d",
    "微调后的模型为什么停不下来",
)
REPEATS = 5
SEARCH_TARGET_MS, ANSWER_TARGET_S = 100.0, 300.0


def elapsed_ms(work: Any) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def keys_ms(search: QuestionSearch) -> np.ndarray:
    """Milliseconds of the search after each key [keys]."""
    typed = [query[:end] for query in QUERIES for end in range(1, len(query) + 1)]
    return np.array([elapsed_ms(lambda text=text: search.find(text)) for text in typed])


def main() -> None:
    read = np.array([elapsed_ms(read_questions) for _ in range(REPEATS)])
    book = read_questions()
    indexed = np.array([elapsed_ms(lambda: QuestionSearch(book)) for _ in range(REPEATS)])
    table = Table("what", "median", "p95", "max", "times", "target")
    keys = f"{SEARCH_TARGET_MS:.0f} ms"
    rows = (
        (f"read {len(book)} questions", read, ""),
        ("build the index", indexed, ""),
        ("search after a key", keys_ms(QuestionSearch(book)), keys),
    )
    for name, times, target in rows:
        median, p95, most = np.median(times), np.percentile(times, 95), times.max()
        table.add_row(name, f"{median:.2f} ms", f"{p95:.2f} ms", f"{most:.2f} ms", f"{times.size}", target)
    Console().print(table)


def answer_all(book: QuestionBook, *, with_training: bool) -> list[tuple[PlannedRun, float]]:
    """Make every run that a fresh machine needs, and print the verdicts. The runs and their seconds."""
    console, done = Console(), []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TILESCOPE_DATA_DIR"] = folder
        history = History(Path(folder) / "history.sqlite3")
        here = RunsHere(history)
        planned = plan_runs(book, here, with_training=with_training)
        with engine_for("cpu") as (engine, device):
            for run in planned:
                started, begun = datetime.now(UTC), time.perf_counter()
                topic = next(question.topic for question in book if question.page == run.page)
                result = run_once(engine, topic, run.params, device)
                seconds = time.perf_counter() - begun
                history.add(result, started, seconds)
                here.refresh()
                done.append((run, seconds))
                print_answers(console, book, here, run, seconds)
    total = sum(seconds for _, seconds in done)
    target = "" if with_training else f"; target {ANSWER_TARGET_S:.0f} s"
    console.print(f"{len(done)} runs, {sum(len(run.question_ids) for run, _ in done)} questions, {total:.0f} s{target}")
    return done


def print_answers(console: Console, book: QuestionBook, here: RunsHere, run: PlannedRun, seconds: float) -> None:
    table = Table("question", "verdict", "expected", "truth of the guess", title=f"{run.page}, {seconds:.1f} s")
    for question_id in run.question_ids:
        question = book.get(question_id)
        answer = None if question is None else here.answer(question)
        expected = "" if answer is None else "no" if answer.is_surprising else "yes"
        table.add_row(question_id, str(label(answer)), expected, "" if answer is None else f"{answer.truth}")
    console.print(table)


def record(done: list[tuple[PlannedRun, float]], path: Path = RECORDED) -> None:
    """Write the durations, to three digits, with this machine's name. The file comes with the program."""
    facts = host_facts()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    machine = f"{facts.cores} cores of {facts.cpu_name}, load {load:.1f} at the end"
    rows = [RecordedRun(page=run.page, set=changes(run), seconds=float(f"{seconds:.3g}")) for run, seconds in done]
    recorded = RecordedRuns(machine=machine, date=date.today().isoformat(), runs=tuple(rows))
    lines = [
        "# How long each run of the questions took: python -m tests.benchmarks.bench_questions --answer --record",
        f'machine = "{recorded.machine}"',
        f'date = "{recorded.date}"',
        "runs = [",
        *(f"    {{ page = {text(row.page)}, set = {table_of(row.set)}, seconds = {row.seconds} }}," for row in rows),
        "]",
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def changes(run: PlannedRun) -> dict[str, Any]:
    """The parameters that are not the defaults."""
    defaults = type(run.params)().model_dump()
    return {name: value for name, value in run.params.model_dump().items() if value != defaults[name]}


def text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else repr(value)


def table_of(values: dict[str, Any]) -> str:
    return "{ " + ", ".join(f"{name} = {text(value)}" for name, value in values.items()) + " }" if values else "{}"


if __name__ == "__main__":
    main()
    if "--answer" in sys.argv:
        made = answer_all(read_questions(), with_training="--without-training" not in sys.argv)
        if "--record" in sys.argv:
            record(made)
