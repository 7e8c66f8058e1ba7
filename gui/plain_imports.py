"""Python's own import statement, in place of the one that PySide6 puts there.

To find modules that ask for a `__feature__` (names in snake_case, properties), PySide6 reads the source of every
module that is imported after it, and looks for its own name there: a fifth of the time of an import.
Nobody here asks for a feature, and without one PySide6 changes nothing in any module.
"""

from __future__ import annotations

import builtins

import PySide6.QtCore  # noqa: F401 - it replaces the statement

_ORIGINAL = "__orig_import__"


def use_plain_imports() -> None:
    """Put Python's import statement back. A version of PySide6 that has not replaced it changes nothing."""
    builtins.__import__ = getattr(builtins, _ORIGINAL, builtins.__import__)
