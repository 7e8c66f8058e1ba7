"""What a clean trace says it was checked for is looked for by some check."""

from __future__ import annotations

from pathlib import Path

import core
from core.sanitizer import kinds
from core.topics.kernel_lab.wording import CHECKED_BY_ADDRESS, CHECKED_IN_FULL

_CORE = Path(core.__file__).parent
_CHECKS = [
    path.read_text(encoding="utf-8")
    for folder in ("sanitizer", "interpreter", "proofs", "topics/kernel_lab")
    for path in (_CORE / folder).rglob("*.py")
    if path.name != "kinds.py"
]


def test_that_every_kind_that_is_named_as_checked_is_looked_for() -> None:
    names = {value: name for name, value in vars(kinds).items() if name.isupper() and isinstance(value, str)}
    unchecked = [
        kind
        for kind in (*CHECKED_BY_ADDRESS, *CHECKED_IN_FULL)
        if not any(f"kinds.{names[kind]}" in text for text in _CHECKS)
    ]
    assert not unchecked
