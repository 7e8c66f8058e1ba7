"""Errors worded for the user who will read them."""

from __future__ import annotations

from core.contracts.text import Text, as_text


class TilescopeError(Exception):
    """One clear sentence: what is wrong, why, and what helps. Shown to the user, never as a traceback."""

    def __init__(self, text: Text | str) -> None:
        self.text = as_text(text)
        super().__init__(self.text)

    @property
    def sentence(self) -> str:
        """The text in the current language."""
        return str(self.text)


class InvalidParams(TilescopeError):
    """A parameter is out of range, or a combination that cannot be.

    `field` names the parameter to point at, or None when the combination is at fault.
    """

    def __init__(self, text: Text | str, field: str | None = None) -> None:
        super().__init__(text)
        self.field = field

    def __reduce__(self) -> tuple[type[InvalidParams], tuple[Text, str | None]]:
        return (InvalidParams, (self.text, self.field))


class UnknownName(TilescopeError):
    """A topic, parameter, GPU or implementation that does not exist; the sentence lists those that do."""


class MissingRequirement(TilescopeError):
    """Something this machine lacks (triton, a display, a GPU); the sentence says what to do about it."""


class RunFailed(TilescopeError):
    """A run that ended without a result for a reason that its caller cannot mend by asking differently."""


THE_CALLERS_TO_MEND = (InvalidParams, UnknownName, MissingRequirement)
"""Errors that go away when something else is asked for, or what is missing is installed."""
