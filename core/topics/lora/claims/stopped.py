"""What a claim says of a run whose training stopped: nothing about the method."""

from __future__ import annotations

from core.contracts.claims import Finding, Verdict
from core.contracts.result import Result
from core.topics.lora.payload import RUN_LABELS


def stopped(result: Result, run: str) -> Finding | None:
    """The finding where that run stopped before its last step, else None."""
    for row in result.tables.get("runs", []):
        if row["run"] == run and row["error"]:
            return Finding(Verdict.NOT_TESTED, f"{RUN_LABELS[run]} was not trained to the end. {row['error']}")
    return None
