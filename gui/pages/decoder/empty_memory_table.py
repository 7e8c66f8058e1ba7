"""What each implementation makes of a memory of padding alone."""

from __future__ import annotations

from core.contracts.text import tr
from core.topics.decoder.plan import Plan
from core.topics.decoder.result import DecoderResult, EmptyMemory, Outcome
from gui.widgets.record_model import Column
from gui.widgets.record_table import RecordTable

_OUTCOMES = {
    Outcome.NAN: tr("NaN"),
    Outcome.ZEROS: tr("zeros: as if nothing were attended to"),
    Outcome.MEAN: tr("the mean of all values: padding is attended to"),
    Outcome.OTHER: tr("something else"),
}
_TONES = {Outcome.NAN: "bad", Outcome.MEAN: "bad", Outcome.ZEROS: "good", Outcome.OTHER: ""}
_COLUMNS: tuple[Column[EmptyMemory], ...] = (
    Column(
        "implementation", tr("implementation"), tr("What computes the attention, or the whole layer."),
        lambda row: str(row.label), number=False, stretch=True,
    ),
    Column(
        "outcome", tr("where every key is hidden"), tr("What comes out of queries that see no key."),
        lambda row: str(_OUTCOMES[Outcome(row.outcome)]), number=False,
        tone=lambda row: _TONES[Outcome(row.outcome)],
    ),
    Column("nan_rows", tr("rows with NaN"), tr("Of all rows and heads."), lambda row: row.nan_rows),
    Column("rows", tr("rows"), tr("Queries, for each head where attention is by itself."), lambda row: row.rows),
)  # fmt: skip
_HOW_TO = tr("Empty the source and keep some padding: the memory is then padding alone.")
_RUN = tr("Run (F5) to see what each implementation makes of a memory of padding alone.")


class EmptyMemoryTable(RecordTable[EmptyMemory]):
    """One row per implementation."""

    def __init__(self) -> None:
        super().__init__(_COLUMNS, lambda row: row.impl, _HOW_TO, wrap=True)

    def show_rows(self, plan: Plan, run: DecoderResult | None) -> None:
        """Those of the run that fits the plan."""
        rows = () if run is None else run.empty_memory
        self.set_rows(rows, _RUN if plan.params.memory_is_padding else _HOW_TO)
