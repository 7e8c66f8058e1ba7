"""The card that compares: schemes, the number of KV heads, what was traced, and the conversion."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from core import language
from core.contracts.result import Provenance
from core.contracts.text import tr
from core.topics.attention_heads.params import AttentionHeadsParams
from core.topics.attention_heads.plan import Plan
from core.topics.attention_heads.result import AttentionHeadsResult
from gui.charts import impl_rows
from gui.charts.row_chart import RowChart
from gui.page.state import PageState
from gui.pages.attention_heads import decode_rows, scheme_rows
from gui.pages.attention_heads.conversion_view import ConversionView
from gui.pages.attention_heads.kv_head_curves import curves_chart, draw_curves, nearest
from gui.widgets.fitted_label import FittedLabel
from gui.widgets.switcher import Switcher

SCHEMES, CURVES, KERNELS, CONVERSION = range(4)
TRACED, IMPLEMENTATIONS = range(2)
State = PageState[Plan, AttentionHeadsResult]


class CompareView(Switcher):
    """Draws only the visible picture. `drawn` carries its provenance, None for an empty one. `scheme_picked` carries
    changes of parameters, `kv_heads_picked` a number of KV heads."""

    drawn = Signal(object)
    scheme_picked = Signal(object)
    kv_heads_picked = Signal(int)

    def __init__(self) -> None:
        self.schemes, self.curves = RowChart(scheme_rows.EMPTY, tr("Schemes")), curves_chart()
        self.kernels, self.conversion = KernelsView(), ConversionView()
        super().__init__(
            [
                ("schemes", tr("Schemes"), self.schemes),
                ("kv-heads", tr("KV heads"), self.curves),
                ("kernels", tr("Kernels"), self.kernels),
                ("conversion", tr("Conversion"), self.conversion),
            ],
            "compare_view",
        )
        self._state: State | None = None
        self._language = language.current()
        self.switched.connect(lambda _: self._draw())
        self.kernels.switched.connect(lambda _: self._draw())
        self.schemes.picked.connect(self._on_scheme)
        self.curves.chart.clicked.connect(self._on_curve)

    def draw(self, state: State) -> None:
        self._state = state
        if self._language != language.current():  # hidden pictures have texts of the former language too
            self._language = language.current()
            for index in range(CONVERSION + 1):
                self._draw_picture(state, index)
        self._draw()

    def _draw(self) -> None:
        if self._state is not None:
            self.drawn.emit(self._draw_picture(self._state, self.index))

    def _draw_picture(self, state: State, index: int) -> Provenance | None:
        """Draw one picture and return its provenance."""
        provenance: Provenance | None = Provenance.MODELLED
        if index == SCHEMES:
            rows, title = scheme_rows.scheme_rows(state.plan), state.plan.chosen.title
            if rows != self.schemes.spec:
                self.schemes.chosen = title  # drawn with the rows
            self.schemes.set_rows(rows)
            self.schemes.choose(title)
        elif index == CURVES:
            draw_curves(self.curves, state.plan)
        elif index == KERNELS:
            provenance = self.kernels.draw(state.fitting, state.of_a)
        else:
            params: Any = state.params
            assert isinstance(params, AttentionHeadsParams)
            study = None if state.fitting is None else state.fitting.study
            provenance = Provenance.MEASURED_CPU if self.conversion.draw(study, params) else None
        return provenance

    def _on_scheme(self, title: str) -> None:
        if self._state is not None:
            self.scheme_picked.emit(scheme_rows.changes(self._state.plan, title))

    def _on_curve(self, x: float, _y: float) -> None:
        if self._state is not None and not self.curves.is_empty:
            self.kv_heads_picked.emit(nearest(self._state.plan, x))


class KernelsView(Switcher):
    """The traced bytes of decode, and a comparison of its implementations."""

    def __init__(self) -> None:
        self.traced, self.note = RowChart(decode_rows.EMPTY, tr("Traced decode")), FittedLabel()
        self.comparison = RowChart(impl_rows.EMPTY, tr("Implementations"))
        traced = QWidget()
        column = QVBoxLayout(traced)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.traced, 1)
        column.addWidget(self.note)
        super().__init__(
            [("traced", tr("Traced bytes"), traced), ("implementations", tr("Implementations"), self.comparison)],
            "kernels_view",
        )

    def draw(self, result: AttentionHeadsResult | None, of_a: AttentionHeadsResult | None) -> Provenance | None:
        """Show what a run found, and run A behind it. Returns the provenance of what is visible, None without any."""
        decodes = () if result is None else result.decodes
        compared = () if result is None else result.comparison
        pinned = None if of_a is None else decode_rows.decode_rows(of_a.decodes)
        self.traced.set_rows(decode_rows.decode_rows(decodes), pinned)
        notes = decode_rows.notes(result)
        self.note.setVisible(bool(notes))
        self.note.set_wordings(*notes)
        pinned = impl_rows.pinned_rows(None if of_a is None else of_a.comparison)
        self.comparison.set_rows(impl_rows.implementation_rows(compared), pinned)
        if self.index == TRACED:
            return Provenance.TRACED if decodes else None
        if impl_rows.ran_on_gpu(compared):
            return Provenance.MEASURED
        return Provenance.MEASURED_CPU if compared else None
