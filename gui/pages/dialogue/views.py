"""The views of the dialogue page, and how they are arranged in cards."""

from __future__ import annotations

from core.contracts.result import Provenance
from core.contracts.text import tr, tr_in
from core.topics.dialogue.choices import PASTED, TEMPLATE_LABELS
from core.topics.dialogue.result import DialogueResult
from gui.charts.mask_matrix import MaskMatrix
from gui.page.card_spec import CardSpec, Strip
from gui.pages.dialogue import view_data
from gui.pages.dialogue.conversation_editor import ConversationEditor
from gui.pages.dialogue.data_view import DataView
from gui.pages.dialogue.doctor_view import DoctorView
from gui.pages.dialogue.mistakes_view import MistakesView
from gui.pages.dialogue.packing_view import PackingView
from gui.pages.dialogue.rows_view import RowsView
from gui.pages.dialogue.template_view import TemplateView
from gui.pages.dialogue.token_source import TokenSource
from gui.pages.dialogue.ways_view import WaysView
from gui.widgets.badged_metrics import BadgedMetrics
from gui.widgets.switcher import Switcher
from gui.zoom import Px

_ROWS_HELP = tr(
    "Every token of the rendered conversation. The band above is the message's role; filled tokens are targets, and "
    "the bar below them is their weight in the loss. Click a token, or walk with the arrow keys: the strips show what "
    "it sees and what sees it, and the template shows what wrote it."
)
_SOURCES_HELP = tr(
    "Conversation: Enter edits a turn, Insert adds one, Delete removes it, Alt with Up or Down moves it; the numbers "
    "are targets and tokens. Template: the Jinja source, with the number of tokens that each line wrote. Attention: "
    "who sees whom."
)
_OUTCOMES_HELP = tr(
    "Doctor: every known silent failure, with the tokens that prove it and the repair. Data file: which of its "
    "conversations are ill. Packing, three ways to train, and mistakes on purpose: what they compute, and what the "
    "small model learns from them."
)
_ROWS_PX, _LOWER_PX = Px(280), Px(262)
CONVERSATION, TEMPLATE, ATTENTION = range(3)
DOCTOR, DATA, PACKING, WAYS, MISTAKES = range(5)


class Views:
    """Every view of the page. `sources` and `outcomes` are the cards in which one of several is in front."""

    def __init__(self) -> None:
        self.metrics, self.rows = BadgedMetrics(), RowsView()
        self.editor, self.template, self.matrix = (
            ConversationEditor(),
            TemplateView(TEMPLATE_LABELS, PASTED),
            MaskMatrix(),
        )
        self.doctor, self.data = DoctorView(), DataView()
        self.packing, self.ways, self.mistakes = PackingView(), WaysView(), MistakesView()
        self._in_matrix: TokenSource | None = None
        self._follows, self._user_chose = False, False
        self.sources = Switcher(
            [
                ("conversation", tr("Conversation"), self.editor),
                ("template", tr("Template"), self.template),
                ("attention", tr("Attention"), self.matrix),
            ],
            "sources_view",
        )
        self.outcomes = Switcher(
            [
                ("doctor", tr_in("chat templates", "Doctor"), self.doctor),
                ("data", tr("Data file"), self.data),
                ("packing", tr("Packing"), self.packing),
                ("ways", tr("Three ways"), self.ways),
                ("mistakes", tr_in("training", "Mistakes"), self.mistakes),
            ],
            "outcomes_view",
        )

        self.outcomes.switched.connect(self._on_outcome)

    def cards(self) -> tuple[Strip | CardSpec, ...]:
        return (
            Strip(self.metrics),
            CardSpec("rows", self.rows, tr("Tokens"), _ROWS_HELP, height=13, minimum_px=_ROWS_PX),
            CardSpec(
                "sources", self.sources, tr("Conversation and template"), _SOURCES_HELP, 1, 0, width=4, height=10,
                minimum_px=_LOWER_PX,
            ),
            CardSpec(
                "outcomes", self.outcomes, tr("What goes wrong, and what is learned"), _OUTCOMES_HELP, 1, 1, width=5,
                height=10, minimum_px=_LOWER_PX,
            ),
        )  # fmt: skip

    def show_result(self, result: DialogueResult | None, of_a: DialogueResult | None, *, has_file: bool) -> None:
        """What depends on the run alone, and on the one that is pinned as A."""
        self.data.show_examined(None if result is None else result.examined, has_file=has_file)
        self.packing.show_result(result)
        self.ways.show_result(result)
        self.mistakes.show_result(result, of_a)
        self._follow(result)

    def _follow(self, result: DialogueResult | None) -> None:
        """Bring what a run adds to the front, unless the user has chosen something."""
        if self._user_chose or result is None:
            return
        examines = result.examined is not None and bool(result.examined.data)
        trained = [run.mistake for run in result.sabotages if run.curve.steps]
        shown = MISTAKES if trained else WAYS if result.ways else DATA if examines else None
        if shown is not None:
            self._follows = True
            self.outcomes.show_picture(shown)
            self._follows = False

    def _on_outcome(self, _: int) -> None:
        self._user_chose = self._user_chose or not self._follows

    def draw_matrix(self) -> None:
        """The matrix of the tokens in the rows, if it is in front: it counts millions of cells for a long row."""
        source = self.rows.source
        if self.sources.index == ATTENTION and source is not self._in_matrix:
            self._in_matrix = source
            self.matrix.set_source(view_data.matrix(source))

    def provenances(self, result: DialogueResult | None) -> dict[str, Provenance | None]:
        """That of the numbers in each card."""
        measured = None if result is None else result.measured
        source = self.rows.source
        has_loss = source is not None and source.loss is not None
        of_file = result is not None and result.examined is not None and bool(result.examined.data)
        outcomes: dict[int, Provenance | None] = {
            DOCTOR: None if not self.doctor.findings else measured if of_file else Provenance.MODELLED,
            DATA: measured if of_file else None,
            PACKING: self.packing.provenance,
            WAYS: self.ways.provenance,
            MISTAKES: self.mistakes.provenance,
        }
        return {
            "rows": None if source is None else measured if has_loss else Provenance.MODELLED,
            "sources": Provenance.MODELLED if self.sources.index == ATTENTION else None,
            "outcomes": outcomes[self.outcomes.index],
        }
