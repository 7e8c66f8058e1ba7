"""Pieces of the HTML page of a trace. Text is escaped, and unsafe characters are spelled out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from core.contracts.text import Text
from core.format import format_quantity
from core.outside import cleaned, shown_name

_MOST_NAME, _MOST_CODE = 200, 400


def section(title: Text, *parts: str) -> str:
    return f"<section>\n<h2>{safe(str(title))}</h2>\n" + "\n".join(parts) + "\n</section>"


def table(titles: Sequence[Text], rows: Iterable[str], *, first: int = 0, names: int = 1) -> str:
    """A table that scrolls sideways where it is wider than the screen; the columns from `first` on hold names."""
    named = range(first, first + names)
    heads = "".join(_head(str(title), "name" if index in named else "") for index, title in enumerate(titles))
    head, body = f"<thead><tr>{heads}</tr></thead>", "\n".join(rows)
    return f'<div class="wide" tabindex="0"><table>\n{head}\n<tbody>\n{body}\n</tbody></table></div>'


def _head(title: str, kind: str) -> str:
    return f'<th scope="col"{_class(kind)}>{safe(title)}</th>'


def table_row(cells: Iterable[str], kind: str = "") -> str:
    return f"<tr{_class(kind)}>{''.join(cells)}</tr>"


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def cell(content: str, kind: str = "") -> str:
    """A cell of text; `content` is escaped already."""
    return f"<td{_class(' '.join(filter(None, ('name', kind))))}>{content}</td>"


def code_cell(code: str) -> str:
    return f'<td class="code">{safe(shown_name(code, _MOST_CODE))}</td>'


def number(text: str) -> str:
    return f"<td>{safe(text)}</td>"


def share_cell(share: float) -> str:
    return f'<td class="share" style="--share: {share:.1%}">{share:.1%}</td>'


def note(text: Text, kind: str) -> str:
    return f'<p class="{kind}">{safe(str(text))}</p>'


def shown(text: str) -> str:
    return safe(shown_name(text, _MOST_NAME))


def safe(text: str) -> str:
    return escape(cleaned(text))


def size(count: float) -> str:
    return format_quantity(count, "bytes")
