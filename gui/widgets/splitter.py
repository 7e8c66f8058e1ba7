"""A splitter whose parts keep their shares of the space until the user or a remembered layout moves a handle."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QWidget


class SharedSplitter(QSplitter):
    """Two or more widgets, each with its share of the length; QSplitter alone would use their size hints."""

    def __init__(
        self, orientation: Qt.Orientation, parts: Sequence[tuple[QWidget, int]], parent: QWidget | None = None
    ) -> None:
        super().__init__(orientation, parent)
        self._shares = [share for _, share in parts]
        self._keeps_shares = True
        self.setHandleWidth(8)
        for index, (widget, share) in enumerate(parts):
            self.addWidget(widget)
            self.setStretchFactor(index, share)
        self.splitterMoved.connect(self._stop_sharing)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.share()

    def share(self, chosen: Sequence[int] = ()) -> None:
        """Give each part its share or, once the user has moved a handle, the sizes in `chosen`, if any."""
        if self._keeps_shares:
            length = self.width() if self.orientation() is Qt.Orientation.Horizontal else self.height()
            self.setSizes([share * length for share in self._shares])
        elif chosen:
            self.setSizes(list(chosen))

    def save_sizes(self) -> list[int]:
        """The sizes that the user chose, [] while the shares are kept."""
        return [] if self._keeps_shares else self.sizes()

    def restore_sizes(self, sizes: Sequence[int]) -> None:
        """Sizes from `save_sizes`; those of another layout are ignored."""
        if len(sizes) == self.count():
            self._keeps_shares = False
            self.setSizes([int(size) for size in sizes])

    def _stop_sharing(self) -> None:
        self._keeps_shares = False
