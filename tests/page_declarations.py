"""What the pages declare, read from their source: building all pages takes seconds."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_BUILDERS = ("CardSpec", "_card")


@cache
def source_of(page: str) -> str:
    """All source of the page."""
    return "\n".join(file.read_text(encoding="utf-8") for file in _files(page))


@cache
def cards_of(page: str) -> frozenset[str]:
    """The keys of its pictures."""
    calls = (
        node
        for file in _files(page)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    )
    return frozenset(
        call.args[0].value
        for call in calls
        if getattr(call.func, "id", "") in _BUILDERS and call.args and isinstance(call.args[0], ast.Constant)
    )


@cache
def kinds_of(page: str) -> frozenset[str]:
    """What can be selected on it, as the docstring of the page says."""
    stated = re.search(r'"""Selection kinds: (.*?)\.?\s*(?:\n\n.*?)?"""', source_of(page), re.DOTALL)
    assert stated is not None, page
    without_remarks = re.sub(r"\(.*?\)", "", " ".join(stated[1].split()))
    return frozenset(re.findall(r"[a-z_]+", without_remarks))


def _files(page: str) -> list[Path]:
    return sorted((ROOT / "gui/pages" / page.replace("-", "_")).rglob("*.py"))
