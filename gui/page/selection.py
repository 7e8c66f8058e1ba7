"""What is selected on a page, shared by all its views.

A selection maps kinds ('q_block', 'kv_block', 'head', 'row', 'tensor', 'program', 'line', 'function', 'step') to
values. A view that lets the user pick something calls `SelectionModel.update`; one that shows it listens to
`changed`. Setting the same selection again emits nothing, so two views that follow each other never loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

Value = int | str


@dataclass(frozen=True)
class Selection:
    """Immutable, comparable and hashable: kinds in alphabetical order with their values."""

    items: tuple[tuple[str, Value], ...] = ()

    @classmethod
    def of(cls, **kinds: Value | None) -> Selection:
        """A selection of the kinds given; None means not selected."""
        return cls(tuple(sorted((kind, _plain(value)) for kind, value in kinds.items() if value is not None)))

    def get(self, kind: str) -> Value | None:
        """The selected value of a kind, or None."""
        return dict(self.items).get(kind)

    def index(self, kind: str, default: int = -1) -> int:
        """The selected value of a kind whose values are integers, or `default`."""
        value = self.get(kind)
        return value if isinstance(value, int) else default

    def updated(self, **kinds: Value | None) -> Selection:
        """A copy with some kinds replaced; None unselects a kind."""
        return Selection.of(**{**dict(self.items), **kinds})

    def __contains__(self, kind: str) -> bool:
        return self.get(kind) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self.items))

    def __bool__(self) -> bool:
        return bool(self.items)


def _plain(value: Value) -> Value:
    """A numpy integer compares like an int but is not an instance of one."""
    return value if isinstance(value, str) else int(value)


class SelectionModel(QObject):
    """The selection of one page. `changed` carries the new Selection, and only when it differs."""

    changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._selection = Selection()

    @property
    def selection(self) -> Selection:
        return self._selection

    def update(self, **kinds: Value | None) -> None:
        """Change some kinds and keep the rest; None unselects a kind."""
        self.replace(self._selection.updated(**kinds))

    def replace(self, selection: Selection | Mapping[str, Value]) -> None:
        """Make this the whole selection."""
        new = selection if isinstance(selection, Selection) else Selection.of(**selection)
        if new != self._selection:
            self._selection = new
            self.changed.emit(new)

    def clear(self) -> None:
        self.replace(Selection())
