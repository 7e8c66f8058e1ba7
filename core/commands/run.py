"""`run TOPIC`: numbers and claims of one run, as tables or as one JSON object."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text as Line

from core.commands.claim_blocks import print_claim
from core.commands.session import engine_for, parse_assignments, run_once
from core.commands.wrapping import broken, wrapped
from core.contracts.claims import Claim, Finding
from core.contracts.registry import topic as find_topic
from core.contracts.result import Result
from core.contracts.text import Text, tr, verbatim
from core.contracts.topic import Topic
from core.engine.addresses import Target
from core.format import format_quantity
from core.paths import expanded
from core.run_files import BadRunFile, SavedRun, write_run_file
from core.wording import backend

_SEVERITY_STYLES = {"warning": "yellow", "notice": "dim"}
_GAP, _LEAST_LAST_COLUMN = 2, 24
_SEVERITIES = {"warning": tr("warning"), "notice": tr("notice")}

Findings = Sequence[tuple[Claim, Finding]]


def run_topic(
    topic_id: str,
    assignments: Sequence[str],
    *,
    device: Target,
    as_json: bool,
    save: Path | None = None,
    machine: str = "",
) -> int:
    """Run and print; with `save`, write the run as a file too, with the name of the `machine` if there is one.

    Returns the exit code that the topic declares, 0 for most; raises TilescopeError for bad input.
    """
    topic = find_topic(topic_id)
    params = parse_assignments(topic, assignments)
    topic.check(params)
    path = None if save is None else place_of(save)
    started_at = datetime.now(UTC)
    with engine_for(device) as (engine, engine_device):
        result = run_once(engine, topic, params, engine_device)
    wall_s = (datetime.now(UTC) - started_at).total_seconds()
    findings = [(claim, claim.test(result)) for claim in topic.claims]
    if as_json:
        document = {**as_document(result, findings), **topic.json_details(result)}
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        print_tables(topic, result, findings)
    if path is not None:
        write_run_file(path, SavedRun(result, started_at, wall_s, machine))
    return topic.exit_status(result)


def place_of(path: Path) -> Path:
    """The path of a file to write after a run. Raises BadRunFile, before it, where that cannot be."""
    path = expanded(path)
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise BadRunFile(
            tr("The run cannot be saved as {path}: choose a file in a folder that can be written.", path=str(path))
        )
    return path


def as_document(result: Result, findings: Findings) -> dict[str, Any]:
    """A run as JSON values. NaN and inf become null, which JSON has. `messages` are rows of severity ('notice' or
    'warning') and text: the remarks on the parameters, then what the run had to say."""
    return {
        "topic": result.topic,
        "params": result.params_json,
        "provenance": result.environment.as_json(),
        "metrics": {
            name: {
                "value": metric.value if abs(metric.value) < float("inf") else None,
                "unit": metric.unit,
                "provenance": metric.provenance.value,
                **({"note": str(metric.note)} if metric.note else {}),
            }
            for name, metric in result.metrics.items()
        },
        "claims": [
            {"id": claim.id, "verdict": finding.verdict.value, "evidence": str(finding.evidence)}
            for claim, finding in findings
        ],
        "messages": _messages(result),
    }


def _messages(result: Result) -> list[dict[str, str]]:
    messages = (*find_topic(result.topic).remarks(result.params), *result.notices)
    return [{"severity": message.severity, "text": str(message.text)} for message in messages]


def print_tables(topic: Topic, result: Result, findings: Findings) -> None:
    """Print the numbers, the claims and the messages, if there are any, to stdout."""
    console = Console()
    environment = result.environment
    place = tr(
        "{topic} on {device}, {backend}", topic=topic.title, device=environment.device, backend=backend(environment)
    )
    console.print(escape(str(place)), style="bold")
    numbers = [
        (
            Line(name),
            Line(format_quantity(metric.value, metric.unit), justify="right"),
            Line(str(metric.provenance.label)),
        )
        for name, metric in result.metrics.items()
    ]
    notes = [str(metric.note) for metric in result.metrics.values()]
    table = _table(console, (tr("metric"), tr("value"), tr("provenance"), tr("note")), numbers, notes)
    table.columns[1].justify = "right"
    console.print(table)
    console.print()
    for claim, finding in findings:
        print_claim(console, topic.id, claim, finding)
    if rows := _messages(result):
        severities = [(_severity(row["severity"]),) for row in rows]
        texts = [row["text"] for row in rows]
        console.print(_table(console, (tr("severity"), tr("message")), severities, texts))


def _severity(severity: str) -> Line:
    label = _SEVERITIES.get(severity, verbatim(severity))
    return Line(str(label), _SEVERITY_STYLES.get(severity, ""))


def _table(
    console: Console, titles: Sequence[Text], cells: Sequence[tuple[Line, ...]], last_column: Sequence[str]
) -> Table:
    """Columns as wide as their cells, and a last one wrapped to the rest of the width. In a narrow terminal, the names
    in the first column take several lines."""
    table = Table(box=None, pad_edge=False)
    wide = [max([cell_len(str(title)), *(row[i].cell_len for row in cells)]) for i, title in enumerate(titles[:-1])]
    rest = console.width - sum(wide[1:]) - _GAP * len(wide) - _LEAST_LAST_COLUMN
    if wide[0] > rest:
        cells = [(Line("\n".join(broken(row[0].plain, rest)), row[0].style), *row[1:]) for row in cells]
        wide[0] = max(
            [cell_len(str(titles[0])), *(cell_len(line) for row in cells for line in row[0].plain.split("\n"))]
        )
    used = sum(wide) + _GAP * len(wide)
    for column, title in enumerate(titles[:-1]):
        table.add_column(str(title), no_wrap=column > 0, overflow="fold")
    table.add_column(str(titles[-1]), no_wrap=True)
    width = max(_LEAST_LAST_COLUMN, console.width - used)
    for row, text in zip(cells, last_column, strict=True):
        table.add_row(*row, Line("\n".join(wrapped(text, width))))
    return table
