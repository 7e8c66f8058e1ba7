"""How a number was obtained."""

from __future__ import annotations

from enum import StrEnum

from core.contracts.text import Text, tr


class Provenance(StrEnum):
    """How a number was obtained. Shown beside the number everywhere."""

    MEASURED = "measured"
    MEASURED_CPU = "measured (CPU)"
    TRACED = "traced"
    MODELLED = "modelled"
    RECORDED = "recorded"

    @property
    def is_of_a_run(self) -> bool:
        """Whether a run on this machine produced the number: it can then be out of date."""
        return self not in (Provenance.MODELLED, Provenance.RECORDED)

    @property
    def label(self) -> Text:
        """The provenance as the user reads it; the value is what JSON holds."""
        return _LABELS[self]


_LABELS = {
    Provenance.MEASURED: tr("measured"),
    Provenance.MEASURED_CPU: tr("measured (CPU)"),
    Provenance.TRACED: tr("traced"),
    Provenance.MODELLED: tr("modelled"),
    Provenance.RECORDED: tr("recorded"),
}
