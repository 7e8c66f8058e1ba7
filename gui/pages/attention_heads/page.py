"""The page of attention heads: who reads which KV head, what that costs in memory and traffic, and what it loses."""

from __future__ import annotations

from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from core.contracts.result import Provenance
from core.contracts.text import EMPTY, sentences, tr
from core.topics.attention_heads.params import GQA, MHA, MQA, AttentionHeadsParams
from core.topics.attention_heads.plan import Plan
from core.topics.attention_heads.result import AttentionHeadsResult
from gui import theme as themes
from gui.charts.roofline_chart import RooflineChart
from gui.page.card_spec import CardSpec, Strip
from gui.page.page import Page
from gui.page.selection import Selection
from gui.page.state import PageState
from gui.pages.attention_heads import key_metrics, work_points
from gui.pages.attention_heads.compare_view import CompareView
from gui.pages.attention_heads.head_picture import head_picture
from gui.pages.attention_heads.heads_view import HeadsView
from gui.pages.attention_heads.kv_control import KvControl
from gui.pages.attention_heads.memory_view import MemoryView
from gui.widgets.badged_metrics import BadgedMetrics
from gui.widgets.fitted_label import FittedLabel
from gui.zoom import Px

_HEADS_HELP = tr(
    "Query heads above, what they read below, in the colour of their group. Boxes have the width of their elements, so "
    "the lower row shows how much a token adds to the cache. The matrices of a layer are to scale. Choose a scheme, or "
    "move the slider from all KV heads down to one. Click a head, or use the arrow keys, to select it."
)
_ROOFLINE_HELP = tr(
    "Both axes are logarithmic. Left of the ridge, bandwidth is the limit; right of it, arithmetic. A batch moves the "
    "linear layers to the right, because each weight is read once for all sequences. Decode attention stays where it "
    "is: every sequence reads its own cache. Prefill reads K and V once for many queries."
)
_MEMORY_HELP = tr(
    "What attention needs is not what an engine allocates: that is whole pages, replicated KV heads and, in some "
    "engines, sliding layers kept whole. Below: the memory of a GPU. The other view shows the longest context for each "
    "batch; click it to choose a batch."
)
_COMPARE_HELP = tr(
    "The same model with another attention, click a row to choose it; what fewer KV heads save, relative to MHA; what "
    "the decode kernel read, traced, and how exact its implementations are; and what converting a trained model costs."
)
_INSET_PX = Px(12)
_HERO_PX, _MEMORY_PX, _CARD_PX = Px(272), Px(240), Px(224)
"""The least heights at which they can be read; a lower window scrolls."""


class AttentionHeadsPage(Page[Plan, AttentionHeadsResult]):
    """Selection kinds: head (a query head, from 0), memory_view, compare_view, kernels_view, conversion_view."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self._remark = EMPTY
        self.key_metrics, self.remarks = BadgedMetrics(), FittedLabel()
        self.control, self.heads_view = KvControl(), HeadsView()
        self.roofline = RooflineChart(
            tr("The roofline appears here once the parameters are valid."),
            tr("attainable TFLOP/s"),
            {work_points.ATTENTION: tr("attention"), work_points.LINEAR: tr("linear layers")},
            tr("intensity traced by the run"),
        )
        self.memory, self.compare = MemoryView(), CompareView()
        return (
            Strip(_strip(self.key_metrics, self.remarks)),
            CardSpec(
                "heads",
                _stacked(self.control, self.heads_view),
                tr("Heads and projections"),
                _HEADS_HELP,
                width=13,
                minimum_px=_HERO_PX,
                provenance=Provenance.MODELLED,
            ),
            CardSpec(
                "memory",
                self.memory,
                tr("KV cache and memory"),
                _MEMORY_HELP,
                under="heads",
                upper_height=6,
                height=5,
                minimum_px=_MEMORY_PX,
                provenance=Provenance.MODELLED,
            ),
            CardSpec(
                "roofline",
                self.roofline,
                tr("Prefill against decode"),
                _ROOFLINE_HELP,
                column=1,
                width=12,
                minimum_px=_CARD_PX,
                provenance=Provenance.MODELLED,
            ),
            CardSpec(
                "compare",
                self.compare,
                tr("Compare"),
                _COMPARE_HELP,
                under="roofline",
                upper_height=1,
                height=1,
                minimum_px=_CARD_PX,
            ),
        )

    def link(self) -> None:
        self.control.scheme_chosen.connect(self._choose_scheme)
        self.control.kv_heads_chosen.connect(lambda kv_heads: self._choose_kv_heads(kv_heads, merge_on="kv_heads"))
        self.heads_view.head_picked.connect(self._on_head)
        self.memory.batch_picked.connect(lambda batch: self._propose(batch=batch))
        self.compare.drawn.connect(self.cards["compare"].set_provenance)
        self.compare.scheme_picked.connect(lambda changes: self._propose(**changes))
        self.compare.kv_heads_picked.connect(self._choose_kv_heads)
        self.compare.conversion.head_picked.connect(self._on_converted_head)

    # What is shown.

    def draw(self, state: PageState[Plan, AttentionHeadsResult]) -> None:
        plan, fitting = state.plan, state.fitting
        if plan.problem:
            self.form.show_problem(plan.problem, plan.blames)
        self._draw_control(plan)
        self._write_remarks(plan)
        self.key_metrics.set_groups([(Provenance.MODELLED, key_metrics.numbers(plan))])
        self.heads_view.set_picture(head_picture(plan))
        self.roofline.set_points(work_points.roofs(plan), work_points.points(plan, fitting))
        self.memory.draw(plan)
        self.compare.draw(state)

    def select(self, selection: Selection) -> None:
        """Show the selected head. Setters emit nothing, so there is no loop."""
        if self.state is None:
            return
        head = self._head
        self.heads_view.select_head(head)
        self.compare.conversion.select_head(head, self.state.plan.attention.heads)

    def dismiss(self) -> bool:
        """Escape deselects the head if there is nothing else to close."""
        if super().dismiss():
            return True
        if self._head is None:
            return False
        self.selection.update(head=None)
        return True

    @property
    def _head(self) -> int | None:
        head = self.selection.selection.get("head")
        return head if isinstance(head, int) else None

    def _draw_control(self, plan: Plan) -> None:
        kv_heads = None if plan.attention.latent is not None else plan.attention.kv_heads
        self.control.show_choice(plan.params.scheme, plan.possible_kv_heads, kv_heads)

    def _write_remarks(self, plan: Plan) -> None:
        """What was assumed, else what the model is, in one line; the tool tip has all of it."""
        remark = sentences(*plan.remarks) if plan.remarks else key_metrics.model_facts(plan)
        if remark != self._remark:  # a label with a new text lays out the page
            self._remark = remark
            self.remarks.set_wordings(remark)

    # What the user does.

    @property
    def _params(self) -> AttentionHeadsParams:
        params = self.params
        assert isinstance(params, AttentionHeadsParams)
        return params

    def _propose(self, merge_on: str = "", **changes: object) -> None:
        """Change parameters: the form follows, and with it every picture."""
        changed = self._params.changed(**changes)
        if changed != self._params:
            self.form.propose(changed, merge_on)

    def _choose_scheme(self, scheme: str) -> None:
        """A scheme with its usual number of KV heads."""
        self._propose(attention=scheme, kv_heads=0)

    def _choose_kv_heads(self, kv_heads: int, merge_on: str = "") -> None:
        """A number of KV heads; all of them are MHA, one is MQA. A drag of the slider is one step to undo."""
        if self.state is None:
            return
        ends = {1: MQA, self.state.plan.attention.heads: MHA}
        if kv_heads in ends:
            self._propose(merge_on, attention=ends[kv_heads], kv_heads=0)
        else:
            self._propose(merge_on, attention=GQA, kv_heads=kv_heads)

    def _on_head(self, head: int) -> None:
        self.selection.update(head=head if head >= 0 else None)

    def _on_converted_head(self, head: int) -> None:
        """A head of the converted model is one of the picture's, if both have the same number of heads."""
        state = self.state
        study = None if state is None or state.fitting is None else state.fitting.study
        if state is not None and study is not None and study.heads == state.plan.attention.heads:
            self.selection.update(head=head)


def _strip(numbers: QWidget, sentence: QWidget) -> QWidget:
    """The sentence has the height of a line in any language, so that the cards stay where they are."""
    sentence.setFixedHeight(QFontMetrics(themes.ui_font("small")).size(0, "Ag中文").height())
    content, line = QWidget(), QHBoxLayout()
    line.setContentsMargins(_INSET_PX, 0, _INSET_PX, _INSET_PX // 2)
    line.addWidget(sentence)
    column = QVBoxLayout(content)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addWidget(numbers)
    column.addLayout(line)
    return content


def _stacked(control: QWidget, picture: QWidget) -> QWidget:
    content = QWidget()
    column = QVBoxLayout(content)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(2)
    column.addWidget(control)
    column.addWidget(picture, 1)
    return content
