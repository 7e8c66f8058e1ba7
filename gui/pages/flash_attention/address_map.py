"""Address over time: every access of two kernels side by side, tensor by tensor, program after program."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from gui import theme as themes
from gui.pages.flash_attention.address_pane import AddressPane
from gui.pages.flash_attention.raster import AddressRaster
from gui.theme import Theme
from gui.widgets.figure import Figure
from gui.widgets.legend import Entry, Legend

_USUAL_PANES, _PREPARE_MS = 2, 400


class AddressMap(Figure):
    """One `AddressPane` a kernel. With 'same scale' an access and a byte are as long in both panes."""

    program_picked = Signal(str, int)
    tensor_picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "Run (F5) to trace every load and store of the kernels: address over time appears here.", parent
        )
        self.panes: list[AddressPane] = []
        # A pane takes 10 ms to make: they are made once the window has appeared and before a result needs them.
        self._prepare = QTimer(self, interval=_PREPARE_MS)
        self._prepare.timeout.connect(self._prepare_pane)
        # A pane is drawn once, in a later turn of the event loop, and the next pane in the turn after that, so that no
        # turn takes long.
        self._to_draw: list[AddressPane] = []
        self._drawing = QTimer(self, interval=0, singleShot=True)
        self._drawing.timeout.connect(self._draw_next)
        self.same_scale = QCheckBox("same scale")
        self.same_scale.setToolTip("An access and a byte as long on the left as on the right")
        self.same_scale.toggled.connect(self._rescale)
        self.legend = Legend()
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        self._row = QHBoxLayout()
        self._row.setSpacing(10)
        column.addLayout(self._row, 1)
        foot = QHBoxLayout()
        foot.addWidget(self.legend, 1)
        foot.addWidget(self.same_scale)
        column.addLayout(foot)
        self.set_content(content)

    def set_rasters(self, rasters: Sequence[tuple[str, AddressRaster]]) -> None:
        """Show the maps of these kernels, keyed; none shows the empty state."""
        if not rasters:
            self.show_empty()
            return
        while len(self.panes) < len(rasters):
            self._add_pane()
        before = [pane for pane in self.panes if not pane.isHidden()]
        for pane in self.panes[len(rasters) :]:
            pane.hide()
        changed = [pane.set_raster(*shown) for pane, shown in zip(self.panes, rasters, strict=False)]
        # A finished run brings the maps that it sent on the way: they stay as they are, zoom included.
        if any(changed) or len(before) != len(rasters):
            self._rescale()
        self.show_content()

    def select_program(self, kernel: str | None, program: int | None = None) -> None:
        """Mark the accesses of one program of one kernel; None unmarks."""
        for pane in self.panes:
            pane.select_program(program if pane.kernel == kernel else None)

    def select_tensor(self, tensor: str | None) -> None:
        """Mark one tensor's band in every pane; None unmarks."""
        for pane in self.panes:
            pane.select_tensor(tensor)

    def restyle(self, theme: Theme) -> None:
        for pane in self.panes:
            pane.restyle(theme)
        self.legend.set_entries((Entry("read, in the tensor's colour", theme.tensor("Q")), Entry("write", theme.text)))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._prepare.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._prepare.stop()

    def _draw_soon(self, pane: AddressPane) -> None:
        if pane not in self._to_draw:
            self._to_draw.append(pane)
        self._drawing.start()

    def _draw_next(self) -> None:
        self._to_draw.pop(0).draw()
        if self._to_draw:
            self._drawing.start()

    def _prepare_pane(self) -> None:
        if len(self.panes) < _USUAL_PANES:
            self._add_pane()
        else:
            self._prepare.stop()

    def _add_pane(self) -> None:
        pane = AddressPane(self)
        pane.restyle(themes.current())
        pane.outdated.connect(lambda: self._draw_soon(pane))
        pane.program_picked.connect(self.program_picked)
        pane.tensor_picked.connect(self.tensor_picked)
        self.panes.append(pane)
        self._row.addWidget(pane, 1)

    def _rescale(self) -> None:
        shown = [pane for pane in self.panes if pane.raster is not None and not pane.isHidden()]
        if not shown:
            return
        longest = max(pane.raster.accesses for pane in shown if pane.raster is not None)
        highest = max(pane.raster.total_bytes for pane in shown if pane.raster is not None)
        for pane in shown:
            pane.set_extent(*((longest, highest) if self.same_scale.isChecked() else (None, None)))
