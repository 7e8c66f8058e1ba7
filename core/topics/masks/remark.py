"""One remark on a mask and its text."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.contracts.result import Message
from core.contracts.text import Text


class Weight(StrEnum):
    """A fact worth knowing, or something that is probably unintended."""

    FACT = "fact"
    WARNING = "warning"


@dataclass(frozen=True)
class MaskWarning:
    """One sentence. `id` is stable; `field` is the parameter it refers to, or None."""

    id: str
    weight: Weight
    text: Text
    field: str | None = None

    @property
    def message(self) -> Message:
        """The same sentence as the command line prints it."""
        return Message("warning" if self.weight is Weight.WARNING else "notice", self.text)
