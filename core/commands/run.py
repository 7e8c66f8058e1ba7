"""`run TOPIC`: numbers and claims of one run, as tables or as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from core.commands.claim_blocks import print_claim
from core.commands.session import engine_for, parse_assignments, run_once
from core.contracts.claims import Claim, Finding
from core.contracts.registry import topic as find_topic
from core.contracts.result import Result
from core.contracts.text import Text, tr, verbatim
from core.contracts.topic import Topic
from core.format import format_quantity
from core.wording import backend

_SEVERITY_STYLES = {"warning": "yellow", "notice": "dim"}
_SEVERITIES = {"warning": tr("warning"), "notice": tr("notice")}

Findings = Sequence[tuple[Claim, Finding]]


def run_topic(topic_id: str, assignments: Sequence[str], *, device: str, as_json: bool) -> int:
    """Run and print. Returns exit code 0; raises TilescopeError for bad input."""
    topic = find_topic(topic_id)
    params = parse_assignments(topic, assignments)
    topic.check(params)
    with engine_for(device) as (engine, engine_device):
        result = run_once(engine, topic, params, engine_device)
    findings = [(claim, claim.test(result)) for claim in topic.claims]
    if as_json:
        print(json.dumps(as_document(result, findings), indent=2, ensure_ascii=False))
    else:
        print_tables(topic, result, findings)
    return 0


def as_document(result: Result, findings: Findings) -> dict[str, Any]:
    """A run as JSON values. NaN and inf become null, which JSON has. `messages` are rows of severity ('notice' or
    'warning') and text."""
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
    return [{"severity": message.severity, "text": str(message.text)} for message in result.messages]


def print_tables(topic: Topic, result: Result, findings: Findings) -> None:
    """Print the numbers, the claims and the messages, if there are any, to stdout."""
    console = Console()
    environment = result.environment
    place = tr(
        "{topic} on {device}, {backend}", topic=topic.title, device=environment.device, backend=backend(environment)
    )
    console.print(escape(str(place)), style="bold")
    numbers = _table(tr("metric"), tr("value"), tr("provenance"), tr("note"))
    numbers.columns[1].justify = "right"
    for name, metric in result.metrics.items():
        numbers.add_row(
            name, format_quantity(metric.value, metric.unit), str(metric.provenance.label), escape(str(metric.note))
        )
    console.print(numbers)
    console.print()
    for claim, finding in findings:
        print_claim(console, topic.id, claim, finding)
    if rows := _messages(result):
        messages = _table(tr("severity"), tr("message"))
        for row in rows:  # escaped: names inside a message may look like markup
            severity = _SEVERITIES.get(row["severity"], verbatim(row["severity"]))
            style = _SEVERITY_STYLES.get(row["severity"], "none")
            messages.add_row(f"[{style}]{severity}[/]", escape(row["text"]))
        console.print(messages)


def _table(*titles: Text) -> Table:
    return Table(*map(str, titles), box=None, pad_edge=False)
