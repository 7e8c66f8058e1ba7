"""The page of dialogue: a conversation as aligned rows, its editor and template, the doctor, what trainings show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QTimer

from core.chat.doctor import Evidence, Finding
from core.contracts.text import EMPTY, verbatim
from core.topics.dialogue.plan import Plan
from core.topics.dialogue.result import DialogueResult
from gui.page.card_spec import CardSpec, Strip
from gui.page.page import Page
from gui.page.selection import Selection
from gui.page.state import PageState
from gui.pages.dialogue import view_data
from gui.pages.dialogue.background import Background, Prepared
from gui.pages.dialogue.edits import Edits
from gui.pages.dialogue.rows_view import ALONE
from gui.pages.dialogue.token_source import TokenSource
from gui.pages.dialogue.views import DATA, Views

_USES_MS = 60
"""After the last selection or key: what tells the uses of a token takes as long as a plan."""

_OWN = 1
"""The number of the page's conversation in what the doctor examines."""


class DialoguePage(Page[Plan, DialogueResult]):
    """Selection kinds: token (in the rows that are shown), place (a character of the template), strategy (of packing),
    training (sound, or a mistake), sources_view, outcomes_view, ways_view, packing_view."""

    def build(self) -> tuple[Strip | CardSpec, ...]:
        self._findings: tuple[Finding, ...] = ()
        self._prepared: Prepared | None = None
        self._alone: TokenSource | None = None
        self._marked: NDArray[np.bool_] | None = None
        self._begun, self._own_token = False, -1
        self._uses = QTimer(self, interval=_USES_MS, singleShot=True)
        self._uses.timeout.connect(self._write_uses)
        self.background, self.edits = Background(self), Edits(self.form)
        self.views = Views()
        return self.views.cards()

    @property
    def drawing(self) -> bool:
        return self._uses.isActive() or self.background.busy or not self.views.matrix.idle

    def draw(self, state: PageState[Plan, DialogueResult]) -> None:
        plan, views = state.plan, self.views
        if plan.problem:
            self.form.show_problem(plan.problem, plan.blames or None)
        self._alone = view_data.alone(plan, state.result)
        views.editor.set_conversation(plan.conversation, plan.problem if plan.blames == "conversation" else EMPTY)
        views.editor.set_counts(view_data.counts(plan))
        problem, line = view_data.template_problem(plan)
        source = plan.params.jinja if plan.template is None else plan.template.source
        views.template.set_template(plan.params.template, source, problem, line)
        if plan.rows is not None:
            views.template.code.set_counts(plan.rows.template_start)
        else:
            self._findings = ()
            views.doctor.set_findings((), EMPTY)
        self._show_rows()
        self._select_first()
        views.ways.set_costs(plan, () if self._prepared is None else self._prepared.training)
        self._write_numbers()
        self.background.begin(plan, state.result)

    def draw_result(self, result: DialogueResult | None) -> None:
        self.views.show_result(result, self.of_a, has_file=bool(self.edits.params.data.strip()))

    def select(self, selection: Selection) -> None:
        """Show the selection in every view. Setters emit nothing, so there is no loop."""
        state, source, views = self.state, self.views.rows.source, self.views
        if state is None:
            return
        token, place = selection.index("token"), selection.index("place")
        marked = self._marked
        if source is None or (marked is not None and len(marked) != len(source)):
            marked = None
        if source is not None and place >= 0:
            marked = source.written_by(place, place + 1)
        own = -1 if source is None or token < 0 else token - source.first
        is_own = self._alone is not None and 0 <= own < len(self._alone)
        views.rows.select(token, marked)
        self._own_token = own if is_own else -1
        self._uses.start()
        if source is not None and 0 <= token < len(source):
            rows = source.rows
            views.template.code.set_range(int(rows.template_start[token]), int(rows.template_end[token]))
            views.editor.go_to(int(rows.message[token]) if is_own else -1)
        else:
            views.template.code.set_range(-1, -1)
            if marked is not None and marked.any():
                views.rows.rows.show_token(int(np.argmax(marked)))
        views.packing.choose(str(selection.get("strategy") or state.plan.params.packing))
        views.mistakes.choose(str(selection.get("training") or ""))
        views.draw_matrix()
        cell = -1 if source is None or token < 0 else token - source.kept.start
        views.matrix.select_cell(cell if cell >= 0 else None)
        self._write_badges()

    def step(self, delta: int) -> None:
        """Left and Right go from token to token."""
        self.views.rows.walk(delta)

    def dismiss(self) -> bool:
        """Escape deselects tokens if there is nothing else to close."""
        if super().dismiss():
            return True
        selected = self.selection.selection
        had_any = "token" in selected or "place" in selected or self._marked is not None
        self._mark(None)
        return had_any

    def link(self) -> None:
        views, background = self.views, self.background
        views.rows.picked.connect(self._pick_token)
        views.rows.row_chosen.connect(self._change_row)
        views.editor.edited.connect(self.edits.take_conversation)
        views.editor.picked.connect(self._pick_message)
        views.template.chosen.connect(lambda key: self.edits.choose_template(key, views.template.code.source))
        views.template.copied.connect(self.edits.copy_template)
        views.template.typed.connect(self.edits.type_template)
        views.template.position_picked.connect(self._pick_place)
        views.matrix.cell_picked.connect(self._pick_cell)
        views.doctor.evidence_picked.connect(self._pick_evidence)
        views.data.line_opened.connect(self._open_line)
        views.packing.strategy_picked.connect(lambda strategy: self.selection.update(strategy=strategy))
        views.mistakes.picked.connect(lambda name: self.selection.update(training=name))
        views.sources.switched.connect(self._on_switched)
        views.outcomes.switched.connect(self._on_switched)
        for view in (views.packing, views.ways, views.mistakes):
            view.drawn.connect(self._on_switched)
        background.examined.connect(self._show_examined)
        background.prepared.connect(self._show_prepared)
        background.failed.connect(self.show_error)
        self.form.undo_stack.indexChanged.connect(self._show_typed_problem)

    # What is shown.

    def _show_rows(self) -> None:
        """The conversation alone, or in its packed row, which comes later: until then the one before stays."""
        rows = self.views.rows
        if rows.which.index == ALONE or self._alone is None:
            rows.set_source(self._alone)
        elif self._prepared is not None:
            rows.set_source(self._prepared.packed)

    def _write_uses(self) -> None:
        """Where the selected token is a target: under every policy, some of which render the conversation again."""
        if self.state is not None and self._own_token >= 0:
            self.views.rows.tell_uses(view_data.uses(self.state.plan, self._own_token))

    def _select_first(self) -> None:
        """The end of the first turn that is learned, so that what belongs to a token is seen before one was chosen."""
        if self._begun or self._alone is None:
            return
        self._begun = True
        targets, rows = self._alone.is_target, self._alone.rows
        first = np.flatnonzero(targets & (rows.message == rows.message[np.argmax(targets)]))
        if targets.any() and "token" not in self.selection.selection:
            self.selection.update(token=int(first[-1]))

    def _change_row(self, _: int) -> None:
        """Another row is chosen: the same token stays selected where it is in both."""
        before, token = self.views.rows.source, self.selection.selection.index("token")
        self._show_rows()
        after = self.views.rows.source
        if before is not None and after is not None and token >= 0:
            moved = token - before.first + after.first
            self._marked = None
            self.selection.update(token=moved if 0 <= moved < len(after) else None)
        self.select(self.selection.selection)

    def _show_alone(self) -> None:
        if self.views.rows.which.index != ALONE:
            self.views.rows.which.choose(ALONE)

    def _show_examined(self, plan: Plan, findings: Sequence[Finding]) -> None:
        """The doctor's verdicts: of the data file once a run has examined all of it, else of the conversation."""
        if self.state is None or plan is not self.state.plan:
            return
        run = None if self.state.fitting is None else self.state.fitting.examined
        if run is not None and run.data and run.findings:
            self._findings = run.findings
            self.views.doctor.set_findings(run.findings, view_data.file_scope(run))
        else:
            self._findings = tuple(findings)
            self.views.doctor.set_findings(findings, view_data.scope(plan), own=_OWN)
        self._write_numbers()
        self._write_badges()

    def _show_prepared(self, prepared: Prepared) -> None:
        if self.state is None:
            return
        self._prepared = prepared
        self.views.packing.set_packings(prepared.strategies, prepared.about)
        self.views.ways.set_costs(self.state.plan, prepared.training)
        self._write_numbers()
        if self.views.rows.which.index != ALONE:
            self._show_rows()
            self.select(self.selection.selection)

    def _write_numbers(self) -> None:
        if self.state is not None:
            strategies = () if self._prepared is None else self._prepared.strategies
            self.views.metrics.set_groups(
                view_data.numbers(self.state.plan, self._findings, strategies, self.state.result)
            )

    def _on_switched(self, _: object) -> None:
        self.views.draw_matrix()
        self._write_badges()

    def _write_badges(self) -> None:
        if self.state is not None and self.cards:
            for key, provenance in self.views.provenances(self.state.result).items():
                self.cards[key].set_provenance(provenance)

    def _show_typed_problem(self, _: int = 0) -> None:
        """Jinja that the form refuses has no plan: the template says why."""
        problem = self.form.fields["jinja"].problem
        if problem and not self.form.valid:
            self.views.template.show_problem(verbatim(problem))

    # What the user picked.

    def _pick_token(self, token: int) -> None:
        self._marked = None
        self.selection.update(token=token if token >= 0 else None, place=None)
        self.select(self.selection.selection)

    def _pick_cell(self, row: int, _: int) -> None:
        source = self.views.rows.source
        self._pick_token(-1 if source is None else row + source.kept.start)

    def _pick_place(self, place: int) -> None:
        """A character of the template: mark what it wrote."""
        self._marked = None
        self.selection.update(place=place, token=None)

    def _pick_message(self, message: int) -> None:
        """A turn was gone to: mark its tokens."""
        self._show_alone()
        if self._alone is not None and message >= 0:
            self._mark(self._alone.rows.message == message)

    def _pick_evidence(self, evidence: Evidence) -> None:
        """Tokens of a finding were clicked: mark them."""
        self._show_alone()
        if self._alone is not None:
            numbers = np.arange(len(self._alone))
            self._mark((numbers >= evidence.start) & (numbers < evidence.end))

    def _mark(self, marked: NDArray[np.bool_] | None) -> None:
        self._marked = marked
        self.selection.update(token=None, place=None)
        self.select(self.selection.selection)

    def _open_line(self, line: int) -> None:
        """A conversation of the data file replaces that of the form, which can be undone."""
        self.background.read_line(self.edits.params.data, line, self.edits.take_conversation)

    def open_dropped(self, path: str) -> bool:
        """A folder is a tokenizer, a file is data."""
        if self.edits.drop(path) == "data":
            self.views.outcomes.show_picture(DATA)
        return True
