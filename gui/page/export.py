"""Numbers that the user saves as a file."""

from __future__ import annotations

from pathlib import Path

from core.contracts.errors import TilescopeError
from core.contracts.text import tr
from core.files import reason_of, write_whole


def write_numbers(path: str, text: str) -> None:
    """Write a table as text, whole or not at all. Raises TilescopeError where it cannot be written."""
    try:
        write_whole(Path(path), text.encode())
    except OSError as error:
        raise TilescopeError(
            tr(
                "The numbers cannot be written to {path} ({reason}): save them elsewhere.",
                path=path,
                reason=reason_of(error),
            )
        ) from error
