"""What the doctor says: failures that it knows, and findings with their evidence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from core.contracts.text import EMPTY, Text, tr


class Severity(StrEnum):
    OK = "ok"
    ILL = "ill"
    NOT_APPLICABLE = "not applicable"

    @property
    def label(self) -> Text:
        """The verdict as the user reads it; the value is what JSON holds."""
        return _LABELS[self]


_LABELS = {Severity.OK: tr("ok"), Severity.ILL: tr("ill"), Severity.NOT_APPLICABLE: tr("not applicable")}


@dataclass(frozen=True)
class Evidence:
    """The tokens that prove a finding: `tokens[i]` has the index `start + i` in its conversation.

    `conversation` is the number of the conversation (in a file: of its line), 0 for one of the doctor's own probes.
    `targets[i]` says whether the token is a target. `tokens` may be cut, `end` is not. `note` says what these tokens
    show.
    """

    note: Text
    text: str = ""
    start: int = 0
    end: int = 0
    tokens: tuple[str, ...] = ()
    targets: tuple[bool, ...] = ()
    conversation: int = 0


@dataclass(frozen=True)
class Finding:
    """The verdict about one failure.

    `failure` is the id of a `Failure`. `sentence` is the verdict in one or two sentences with its numbers. `repair`
    is empty unless something is ill. `conversations` counts those that are ill; 0 if the tokenizer, the template or
    the setup is.
    """

    failure: str
    severity: Severity
    sentence: Text
    evidence: tuple[Evidence, ...] = ()
    repair: Text = EMPTY
    conversations: int = 0
