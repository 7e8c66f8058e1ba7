"""The conversation, edited in place: turns with role and text are added, removed, moved, and pasted as JSON."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QPushButton, QToolButton, QVBoxLayout, QWidget

from core.chat.messages import ROLES, Conversation, InvalidConversation
from core.contracts.text import EMPTY, Text, tr, tr_in, verbatim
from gui import theme as themes
from gui.icons import icon
from gui.pages.dialogue import turn_parts
from gui.pages.dialogue.turn_list import TurnList
from gui.pages.dialogue.turn_parts import Edit, Kind, Part
from gui.translation import show_text


class ConversationEditor(QWidget):
    """`edited` carries the changed Conversation and what it may be merged with for undo, '' for nothing; `picked` the
    index of the message that the user went to.

    It holds no history: the form does, and gives the conversation back through `set_conversation`.
    """

    edited = Signal(object, str)
    picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.conversation = Conversation(())
        self._sent: Conversation | None = None
        self._problem_here = EMPTY
        self._problem_outside: Text = EMPTY
        self.turns = TurnList()
        self.problem = QLabel()
        self.problem.setProperty("role", "error")
        self.problem.setWordWrap(True)
        self.problem.hide()
        self.add, self.role = QPushButton(), QPushButton()
        self.paste = QPushButton()
        self.up = self._button("expand", tr("Move the turn up"), lambda: self._move(-1))
        self.down = self._button("collapse", tr("Move the turn down"), lambda: self._move(1))
        self.remove = self._button("trash", tr("Remove the turn"), self._remove)
        self._lay_out()
        self._connect()
        self._recolour()
        self._show_problem()
        themes.notifier().changed.connect(self._recolour)

    def set_conversation(self, conversation: Conversation | None, problem: Text = EMPTY) -> None:
        """Show the form's conversation. None, where the form's text is none: the last one stays, with the problem."""
        self._problem_outside = problem
        if conversation is not None:
            is_echo = conversation == self._sent
            self.conversation = conversation
            if not is_echo:
                self._sent = None
                self._problem_here = EMPTY
            self.turns.set_parts(turn_parts.parts(conversation), is_echo=is_echo)
        self._show_problem()
        self._enable()

    def set_counts(self, counts: Sequence[tuple[int, int]]) -> None:
        """(tokens, targets) of each message."""
        self.turns.set_counts(counts)

    def go_to(self, message: int) -> None:
        """Make a message current, unless a text is being edited; emits no signal."""
        part = self.turns.current
        if message >= 0 and self.turns.editor is None and (part is None or part.message != message):
            self.turns.go_to((Kind.CONTENT, message, -1))

    # Edits. Each tells the form, which gives the conversation back.

    def _apply(self, edit: Edit, *, opens: bool = False) -> None:
        self._problem_here = EMPTY
        if edit.conversation != self.conversation:
            self._sent = edit.conversation
            self.conversation = edit.conversation
            self.turns.set_parts(turn_parts.parts(edit.conversation), is_echo=True)
            self.edited.emit(edit.conversation, "")
        self.turns.go_to(edit.place)
        self._show_problem()
        self._enable()
        if opens:
            self.turns.edit_current()

    def _type(self, part: Part, text: str) -> None:
        """A text was typed. What is not yet a call, or no thought any more, is kept until it is."""
        if part.kind is Kind.THOUGHT and not text:
            return
        try:
            changed = turn_parts.with_text(self.conversation, part, text)
        except InvalidConversation as error:
            self._problem_here = error.text
            self._show_problem()
            return
        self._problem_here = EMPTY
        self._show_problem()
        if changed != self.conversation:
            self._sent = self.conversation = changed
            self.turns.set_parts(turn_parts.parts(changed), is_echo=True)
            self.edited.emit(changed, f"conversation.{part.kind}.{part.message}.{part.call}")

    def _end_typing(self) -> None:
        self._problem_here = EMPTY
        self._show_problem()

    def _add(self) -> None:
        self._apply(turn_parts.with_turn(self.conversation, self.turns.current), opens=True)

    def _remove(self) -> None:
        part = self.turns.current
        if part is not None:
            self._apply(turn_parts.removed(self.conversation, part))

    def _move(self, step: int) -> None:
        part = self.turns.current
        if part is not None:
            self._apply(turn_parts.moved(self.conversation, part, step))

    def _set_role(self, role: str) -> None:
        part = self.turns.current
        if part is not None and part.kind is not Kind.TOOLS:
            self._apply(turn_parts.with_role(self.conversation, part, role))

    def _next_role(self) -> None:
        part = self.turns.current
        if part is not None and part.role in ROLES:
            self._set_role(ROLES[(ROLES.index(part.role) + 1) % len(ROLES)])

    def _add_call(self) -> None:
        part = self._message_part()
        if part is not None:
            self._apply(turn_parts.with_call(self.conversation, part), opens=True)

    def _add_thought(self) -> None:
        part = self._message_part()
        if part is not None:
            self._apply(turn_parts.with_thought(self.conversation, part), opens=True)

    def _message_part(self) -> Part | None:
        """The current part, unless it is of no message."""
        part = self.turns.current
        return part if part is not None and part.message >= 0 else None

    def _paste(self) -> None:
        try:
            conversation = turn_parts.pasted(QGuiApplication.clipboard().text())
        except InvalidConversation as error:
            self._problem_here = error.text
            self._show_problem()
            return
        self._apply(Edit(conversation, (Kind.CONTENT, 0, -1)))

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(turn_parts.as_json(self.conversation))

    # Appearance.

    def _show_problem(self) -> None:
        problem = self._problem_here or self._problem_outside
        show_text(self.problem.setText, problem or "")
        self.problem.setVisible(bool(problem))

    def _enable(self) -> None:
        part = self.turns.current
        of_message = part is not None and part.message >= 0
        for button in (self.role, self.up, self.down):
            button.setEnabled(of_message)
        self.remove.setEnabled(part is not None)

    def _lay_out(self) -> None:
        bar = QHBoxLayout()
        bar.setContentsMargins(0, 0, 0, 0)
        bar.setSpacing(4)
        for button, text in (
            (self.add, tr_in("conversation", "Add")),
            (self.role, tr("Role")),
            (self.paste, tr("Paste JSON")),
        ):
            button.setProperty("role", "segment")
            button.setProperty("place", "only")
            show_text(button.setText, text)
        show_text(self.paste.setToolTip, tr("Replace the conversation by the JSON in the clipboard"))
        for widget in (self.add, self.role, self.up, self.down, self.remove):
            bar.addWidget(widget)
        bar.addStretch(1)
        bar.addWidget(self.paste)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.turns, 1)
        column.addWidget(self.problem)
        column.addLayout(bar)
        self._fill_menus()

    def _fill_menus(self) -> None:
        add, role = QMenu(self), QMenu(self)
        for text, act in (
            (tr("Turn"), self._add),
            (tr("System prompt"), lambda: self._apply(turn_parts.with_system(self.conversation), opens=True)),
            (tr("Thought"), self._add_thought),
            (tr("Tool call"), self._add_call),
            (tr("Tools"), lambda: self._apply(turn_parts.with_tools(self.conversation), opens=True)),
        ):
            show_text(add.addAction("", act).setText, text)
        for name in ROLES:
            show_text(role.addAction("", self._role_setter(name)).setText, verbatim(name))
        self.add.setMenu(add)
        self.role.setMenu(role)

    def _role_setter(self, role: str) -> Callable[[], None]:
        return lambda: self._set_role(role)

    def _connect(self) -> None:
        turns = self.turns
        turns.typed.connect(self._type)
        turns.picked.connect(self._on_picked)
        turns.add_requested.connect(self._add)
        turns.remove_requested.connect(self._remove)
        turns.move_requested.connect(self._move)
        turns.role_requested.connect(self._next_role)
        turns.call_requested.connect(self._add_call)
        turns.copy_requested.connect(self._copy)
        turns.paste_requested.connect(self._paste)
        turns.editing_ended.connect(self._end_typing)
        self.paste.clicked.connect(self._paste)

    def _on_picked(self, part: Part) -> None:
        self._enable()
        self.picked.emit(part.message)

    def _button(self, name: str, tip: Text, act: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setIconSize(QSize(14, 14))
        show_text(button.setToolTip, tip)
        show_text(button.setAccessibleName, tip)
        button.clicked.connect(act)
        return button

    def _recolour(self) -> None:
        colours = themes.current()
        for button in (self.up, self.down, self.remove):
            button.setIcon(icon(button.objectName(), colours.muted, disabled=colours.border_strong))
