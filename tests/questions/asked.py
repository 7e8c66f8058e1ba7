"""Questions and runs for the tests, made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from core.contracts.result import Environment, Metric, Provenance
from core.contracts.written import Written
from core.engine.history import History
from core.hardware.host import cpu_name
from core.questions.guesses import metrics_of
from core.questions.question import Question
from core.questions.reading import read_questions
from core.topics.flash_attention.params import FlashAttentionParams
from core.topics.flash_attention.result import FlashAttentionResult

HERE = f"cpu ({cpu_name()})"
NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def question(id: str = "exact", page: str = "flash-attention", **facts: Any) -> Question:
    known: dict[str, Any] = {"set": {}, "claims": ("same-result",), "group": "attention", **facts}
    return Question(id=id, page=page, question=Written("Is it exact?"), answer=Written("Yes. It is."), **known)


def flash_result(rms_error: float = 3e-5, device: str = HERE, **params: Any) -> FlashAttentionResult:
    values = {"flash.rms_error": rms_error, "flash.allowed_rms_error": 1e-4, "traffic.ratio": 5.9}
    return FlashAttentionResult(
        params=FlashAttentionParams(**params),
        environment=Environment(device, "TTIR interpreter (CPU)"),
        metrics={name: Metric(value, "", Provenance.TRACED) for name, value in values.items()},
    )


def history_of(folder: Path, *results: Any, wall_s: float = 2.0) -> History:
    """A history with these results, the last one newest."""
    history = History(folder / "history.sqlite3")
    for minute, result in enumerate(results):
        history.add(result, NOON + timedelta(minutes=minute), wall_s)
    return history


def asked_metrics(page: str) -> set[str]:
    """The metrics of a page that the shipped questions guess. Each must be one of a run."""
    guesses = [each.guess for each in read_questions() if each.page == page and each.guess is not None]
    return {name for guess in guesses for name in metrics_of(guess)}
