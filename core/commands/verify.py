"""`verify [TOPIC ...]`: run the topics with their default parameters and test every claim."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from core.commands.session import engine_for, run_once
from core.contracts.claims import Verdict
from core.contracts.registry import TOPICS
from core.contracts.registry import topic as find_topic

VERDICT_STYLES = {
    Verdict.HOLDS: "green",
    Verdict.HOLDS_WITH_LIMIT: "yellow",
    Verdict.DOES_NOT_HOLD: "red",
    Verdict.NOT_TESTED: "dim",
}


def verify_topics(topic_ids: Sequence[str], *, device: str, as_json: bool) -> int:
    """Print verdict and evidence of each claim. Exit code 1 if a verdict is not the expected one, else 0."""
    topics = [find_topic(topic_id) for topic_id in topic_ids or TOPICS]
    rows: list[dict[str, Any]] = []
    with engine_for(device) as (engine, wanted):
        for topic in topics:
            result = run_once(engine, topic, topic.params(), wanted)
            for claim in topic.claims:
                finding = claim.test(result)
                rows.append(
                    {
                        "topic": topic.id,
                        "id": claim.id,
                        "statement": claim.statement.en,
                        "source": claim.source,
                        "verdict": finding.verdict.value,
                        "expected": claim.expected.value,
                        "surprising": claim.is_surprised_by(finding),
                        "evidence": finding.evidence,
                    }
                )
    if as_json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        _print_table(rows)
    return 1 if any(row["surprising"] for row in rows) else 0


def _print_table(rows: list[dict[str, Any]]) -> None:
    console = Console()
    table = Table("claim", "verdict", "statement and evidence", show_lines=True)
    for row in rows:
        verdict = Verdict(row["verdict"])
        mark = " (unexpected)" if row["surprising"] else " (as expected)" if verdict is Verdict.DOES_NOT_HOLD else ""
        table.add_row(
            f"{row['topic']}\n{row['id']}",
            f"[{VERDICT_STYLES[verdict]}]{verdict.value}[/]{mark}",
            f"{row['statement']}\n[dim]{row['source']}[/]\n{row['evidence']}",
        )
    console.print(table)
