"""A mask as a row of positioned pieces: terms, operators and parentheses, wrapped like words. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from core.masks.editing import Path, part
from core.masks.nodes import And, Joined, Mask, Not


class Kind(StrEnum):
    """The kind of a piece. A group is selected by its opening parenthesis."""

    TERM = "term"
    OPERATOR = "operator"
    OPEN = "open"
    CLOSE = "close"


@dataclass(frozen=True)
class Piece:
    """`path` is the path of the unit (of the group for an operator), `inner` that of the term behind every Not."""

    kind: Kind
    path: Path
    inner: Path
    text: str


@dataclass(frozen=True)
class Placed:
    """A piece with its left edge and width in pixels and its line, from 0."""

    piece: Piece
    x: float
    width: float
    line: int

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


def pieces(mask: Mask) -> tuple[Piece, ...]:
    """All pieces of the row, from left to right."""
    return tuple(_joined(mask, ()) if isinstance(mask, Joined) else _unit(mask, ()))


def placed(
    row: tuple[Piece, ...], width_of: Callable[[Piece], float], line_px: float, gap: float
) -> tuple[tuple[Placed, ...], int]:
    """The pieces laid out in lines of `line_px` pixels, and the number of lines."""
    pieces_in_lines: list[Placed] = []
    x, line = 0.0, 0
    for piece in row:
        width = width_of(piece)
        if x and x + width > line_px:
            x, line = 0.0, line + 1
        pieces_in_lines.append(Placed(piece, x, width, line))
        x += width + gap
    return tuple(pieces_in_lines), line + 1


def slots(mask: Mask, row: tuple[Placed, ...]) -> list[tuple[float, int, Path, int]]:
    """Where a dragged unit may be dropped: (x, line, path of the group, index in it)."""
    drops = []
    for place in row:
        path = place.piece.path
        if place.piece.kind is Kind.OPERATOR or not path or not isinstance(part(mask, path[:-1]), Joined):
            continue
        if place.piece.kind in (Kind.TERM, Kind.OPEN):
            drops.append((place.x, place.line, path[:-1], path[-1]))
        if place.piece.kind in (Kind.TERM, Kind.CLOSE):
            drops.append((place.x + place.width, place.line, path[:-1], path[-1] + 1))
    return drops


def _joined(mask: Joined, path: Path) -> Iterator[Piece]:
    word = "and" if isinstance(mask, And) else "or"
    for index, term in enumerate(mask.terms):
        if index:
            yield Piece(Kind.OPERATOR, path, path, word)
        yield from _unit(term, (*path, index))


def _unit(mask: Mask, path: Path) -> Iterator[Piece]:
    inner, inner_path, nots = mask, path, ""
    while isinstance(inner, Not):
        inner, inner_path, nots = inner.term, (*inner_path, 0), nots + "not "
    if not isinstance(inner, Joined):
        yield Piece(Kind.TERM, path, inner_path, f"{nots}{inner}")
        return
    yield Piece(Kind.OPEN, path, inner_path, f"{nots}(")
    yield from _joined(inner, inner_path)
    yield Piece(Kind.CLOSE, path, inner_path, ")")
