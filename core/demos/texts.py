"""Texts of a demo, in each of its languages."""

from __future__ import annotations

from collections.abc import Mapping

from core import language
from core.contracts.errors import TilescopeError
from core.contracts.text import listed, quoted, tr
from core.contracts.written import Written


def written(texts: Mapping[str, str]) -> Written:
    """The text in each of its languages. Where English is missing, the first one stands in for it."""
    for code in texts:
        if code not in language.LANGUAGES:
            raise TilescopeError(
                tr(
                    "There is no language {code}: the languages are {known}.",
                    code=quoted(code),
                    known=listed(language.LANGUAGES),
                )
            )
    return Written.of(texts)
