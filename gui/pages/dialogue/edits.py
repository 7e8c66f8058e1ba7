"""What the user changes outside the form, as changes of the form: its undo takes them back."""

from __future__ import annotations

from pathlib import Path

from core.chat.messages import Conversation
from core.topics.dialogue.choices import PASTED
from core.topics.dialogue.params import DialogueParams
from gui.page.form.parameter_form import ParameterForm
from gui.pages.dialogue import turn_parts


class Edits:
    """Changes the parameters of a form."""

    def __init__(self, form: ParameterForm) -> None:
        self._form = form

    @property
    def params(self) -> DialogueParams:
        """The last valid parameters."""
        params = self._form.params
        assert isinstance(params, DialogueParams)
        return params

    def take_conversation(self, conversation: Conversation, merge_on: str = "") -> None:
        """Quick changes with the same `merge_on` are undone in one step."""
        self._change(merge_on, conversation=turn_parts.as_json(conversation))

    def choose_template(self, key: str, source: str) -> None:
        """Another template than the one with that source; the first time that the pasted one is chosen, it begins as a
        copy."""
        begins = key == PASTED and not self.params.jinja.strip()
        self._change(template=key, jinja=source if begins else self.params.jinja)

    def copy_template(self, source: str) -> None:
        """A pasted template that begins as this one."""
        self._change(template=PASTED, jinja=source)

    def type_template(self, source: str) -> None:
        """What was typed may be refused by the form, which then says why."""
        self._form.fields["jinja"].edited.emit(source)

    def drop(self, path: str) -> str:
        """A folder is a tokenizer, a file is data: the parameter that takes the path."""
        name = "tokenizer" if Path(path).is_dir() else "data"
        self._change(**{name: path})
        return name

    def _change(self, merge_on: str = "", **values: object) -> None:
        self._form.propose(self.params.changed(**values), merge_on)
