"""The tokenizer and the template that the parameters name, and those that the small model is trained with. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core.chat.families import family, family_tokenizer, small_tokenizer_like
from core.chat.folder import open_tokenizer_folder
from core.chat.rendering import ChatTemplate
from core.chat.tokenizer import ChatTokenizer
from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.topics.dialogue.choices import AUTO, PASTED
from core.topics.dialogue.examples import Encoder
from core.topics.dialogue.params import DialogueParams

DEFAULT_FAMILY = "tilescope"


@dataclass(frozen=True)
class Subject:
    """What is examined. `family` is the shipped family that the tokenizer belongs to, '' for one of a folder."""

    tokenizer: ChatTokenizer
    template: ChatTemplate
    family: str

    @property
    def encoder(self) -> Encoder:
        return Encoder(self.template, self.tokenizer)

    @property
    def small_encoder(self) -> Encoder:
        """The same template with the tokenizer that the small model is trained with: its own, with the special tokens
        of this one."""
        if self.family:
            return self.encoder
        return Encoder(self.template, small_tokenizer_like(self.tokenizer))


def subject_of(params: DialogueParams) -> Subject:
    """The tokenizer and the template of `params`.

    Raises InvalidParams, for `tokenizer` or `template`, where the folder cannot be used or has no template.
    """
    path = params.tokenizer.strip()
    named = "" if params.template in (AUTO, PASTED) else params.template
    if not path:
        name = named or DEFAULT_FAMILY
        template = _pasted(params, family(name).special) if params.template == PASTED else family(name)
        return Subject(family_tokenizer(name), template, name)
    tokenizer, own = open_tokenizer_folder(path)
    if named:
        return Subject(tokenizer, family(named), "")
    if params.template == PASTED:
        return Subject(tokenizer, _pasted(params, own.special if own else special_texts(tokenizer)), "")
    if own is None:
        raise InvalidParams(
            tr("The tokenizer folder has no chat template: choose a template, or paste one."), "template"
        )
    return Subject(tokenizer, own, "")


def special_texts(tokenizer: ChatTokenizer) -> dict[str, str]:
    """What templates know of a tokenizer: bos_token, eos_token, ..."""
    texts = {"bos": tokenizer.bos, "eos": tokenizer.eos, "pad": tokenizer.pad, "unk": tokenizer.unk}
    return {f"{name}_token": text for name, text in texts.items() if text}


def _pasted(params: DialogueParams, special: Mapping[str, str]) -> ChatTemplate:
    return ChatTemplate(params.jinja, "", special)
