"""What can be wrong with a chat template, in one sentence with the line and the column."""

from __future__ import annotations

from typing import Any

from core.contracts.errors import TilescopeError
from core.contracts.text import Text, tr


class BrokenTemplate(TilescopeError):
    """A template that cannot be compiled or rendered. `line` and `column` count from 1; 0 where they are not known."""

    def __init__(self, text: Text | str, line: int = 0, column: int = 0) -> None:
        super().__init__(text)
        self.line = line
        self.column = column

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.text, self.line, self.column))


class RefusedConversation(BrokenTemplate):
    """The template itself refuses the conversation, with `raise_exception`: roles that do not alternate, say."""


class TooCostly(BrokenTemplate):
    """A template that would run, write or recurse without end."""


class ForbiddenAccess(BrokenTemplate):
    """A template that reaches for files or for the inside of Python."""


class OutOfBudget(Exception):
    """Raised inside of a rendering that uses more than it may; `text` says what."""

    def __init__(self, text: Text) -> None:
        super().__init__(str(text))
        self.text = text


def too_long(limit: int) -> OutOfBudget:
    return OutOfBudget(tr("it builds a text of more than {limit:,} characters", limit=limit))


def too_large(limit: int) -> OutOfBudget:
    return OutOfBudget(tr("it builds a list or a number with more than {limit:,} entries or digits", limit=limit))
