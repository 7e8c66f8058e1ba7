"""Tokenizers, templates and conversations for the tests of the doctor: sound ones, from which each failure is made."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from tokenizers import Tokenizer, processors

from core.chat.conversation import parse_conversation
from core.chat.messages import Conversation
from core.chat.rendering import ChatTemplate
from core.chat.tokenizer import ChatTokenizer, chat_tokenizer
from tests.source_texts import ROOT

START, END, BOS, PAD = "<|im_start|>", "<|im_end|>", "<|begin|>", "<|pad|>"

SOUND = """\
{%- for message in messages -%}
    {{- '<|im_start|>' + message.role + '\\n' -}}
    {%- if message.role == 'assistant' -%}
        {%- generation -%}{{ message.content + '<|im_end|>' }}{%- endgeneration -%}
    {%- else -%}
        {{- message.content + '<|im_end|>' -}}
    {%- endif -%}
    {{- '\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}
"""
ANSWER = "{%- generation -%}{{ message.content + '<|im_end|>' }}{%- endgeneration -%}"


@cache
def tokenizer(
    *, pad: str = PAD, adds_bos: bool = False, adds_eos: bool = False, padding_side: str = "right"
) -> ChatTokenizer:
    """The small model's tokenizer with ChatML's special tokens."""
    inner = Tokenizer.from_file(str(ROOT / "resources/models/small-model/tokenizer.json"))
    texts = (START, END, BOS, PAD)
    inner.add_special_tokens(list(texts))
    special = tuple((text, inner.token_to_id(text)) for text in texts)
    if adds_bos or adds_eos:
        single = [*[BOS] * adds_bos, "$A", *[END] * adds_eos]
        inner.post_processor = processors.TemplateProcessing(single=single, special_tokens=[special[1], special[2]])
    return chat_tokenizer(inner, "chatml", bos=BOS, eos=END, pad=pad, padding_side=padding_side)


def template(source: str = SOUND) -> ChatTemplate:
    return ChatTemplate(source, "test", {"bos_token": BOS, "eos_token": END})


def changed(old: str, new: str) -> ChatTemplate:
    """The sound template with one part of it replaced."""
    assert SOUND.count(old) == 1
    return template(SOUND.replace(old, new))


def chat(*turns: str, system: str = "") -> Conversation:
    """A conversation of these turns, the first of them the user's."""
    roles = ("user", "assistant") * len(turns)
    messages = [{"role": role, "content": turn} for role, turn in zip(roles, turns, strict=False)]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    return parse_conversation(messages)


def with_role(conversation: Conversation, index: int, role: str) -> Conversation:
    return conversation.with_message(index, replace(conversation.messages[index], role=role))
