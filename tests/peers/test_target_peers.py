"""Labels against those that TRL's SFTTrainer makes of the same data, template and tokenizer, and rendering against
transformers on the chat templates that TRL ships. Skipped where TRL is not installed: see `make test-peers`."""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
pytest.importorskip("trl")

import trl
from datasets import Dataset
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils
from trl import SFTConfig, SFTTrainer

from core.chat.conversation import parse_conversation
from core.chat.families import FAMILIES, family_tokenizer
from core.chat.messages import Conversation
from core.chat.rendering import ChatTemplate, render
from core.chat.sandbox import DEFAULT_DATE
from core.chat.targets import IGNORED, targets
from core.chat.template_errors import BrokenTemplate
from tests.chat.template_cases import CONVERSATIONS, SWITCHES, TOOLS
from tests.topics.training_runs import tiny

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Is 7 prime?"},
    {"role": "assistant", "content": "Yes, 7 is prime.\n"},
    {"role": "user", "content": " And é 😀?  "},
    {"role": "assistant", "content": " No."},
    {"role": "user", "content": "Why <|im_end|>?"},
    {"role": "assistant", "content": "Because 9 is 3 times 3."},
]
CALL = {
    "messages": [
        {"role": "user", "content": "Is it warm in Oslo?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Oslo"}'}}
            ],
        },
        {"role": "tool", "content": "21", "tool_call_id": "c1"},
        {"role": "assistant", "content": "Yes."},
    ],
    "tools": TOOLS,
}
WHOLE = [{"messages": TURNS}, {"messages": TURNS[1:5]}, {"messages": TURNS[:3]}]
SPLIT = [{"prompt": TURNS[:4], "completion": TURNS[4:]}, {"prompt": TURNS[1:2], "completion": TURNS[2:3]}]
RUNS: dict[str, tuple[list[Any], str, dict[str, Any]]] = {
    "assistant_only_loss": (WHOLE, "assistant_only", {"assistant_only_loss": True}),
    "completion_only_loss": (SPLIT, "completion_only", {}),
    "every token": (WHOLE, "all", {}),
    "keep_start": (WHOLE, "assistant_only", {"assistant_only_loss": True, "max_length": 40}),
    "keep_end": (
        WHOLE, "assistant_only", {"assistant_only_loss": True, "max_length": 30, "truncation_mode": "keep_end"},
    ),
}  # fmt: skip


def _theirs(name: str, lines: list[Any], settings: dict[str, Any], folder: Path) -> list[tuple[list[int], list[int]]]:
    """The token ids and labels that TRL's trainer makes."""
    chosen = FAMILIES[name]
    arguments = SFTConfig(
        output_dir=str(folder),
        use_cpu=True,
        report_to="none",
        bf16=False,
        gradient_checkpointing=False,
        **{"max_length": None, **settings},
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=family_tokenizer(name).tokenizer,
        chat_template=chosen.template.source,
        **chosen.template.special,
    )
    trainer = SFTTrainer(
        model=tiny().model, args=arguments, train_dataset=Dataset.from_list(lines), processing_class=tokenizer
    )
    return [(row["input_ids"], row["labels"]) for row in trainer.train_dataset]


def _ours(name: str, lines: list[Any], policy: Any, settings: dict[str, Any]) -> list[tuple[list[int], list[int]]]:
    """The same; TRL drops conversations that truncation leaves without a target."""
    made = []
    for line in lines:
        rendered = render(FAMILIES[name].template, parse_conversation(line))
        encoded = family_tokenizer(name).encode(rendered.text)
        side = "left" if settings.get("truncation_mode") == "keep_end" else "right"
        marked = targets(rendered, encoded, policy, max_length=settings.get("max_length"), truncation=side)
        if marked.count:
            made.append((encoded.ids[marked.kept].tolist(), marked.labels[marked.kept].tolist()))
    return made


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("name", FAMILIES)
def test_that_labels_are_those_of_trl(name: str, run: str, tmp_path: Path) -> None:
    lines, policy, settings = RUNS[run]
    theirs, ours = _theirs(name, lines, settings, tmp_path), _ours(name, lines, policy, settings)
    assert ours == theirs
    assert policy == "all" or any(IGNORED in labels for _, labels in ours)
    assert "max_length" in settings or len(ours) == len(lines)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "gemma"])
def test_that_labels_of_a_tool_call_are_those_of_trl(name: str, tmp_path: Path) -> None:
    settings = {"assistant_only_loss": True}
    theirs = _theirs(name, [CALL], settings, tmp_path)
    assert _ours(name, [CALL], "assistant_only", settings) == theirs


SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
TEMPLATES = {path.stem: path for path in sorted(Path(trl.__file__).parent.glob("chat_templates/*.jinja"))}


class _Noon(chat_template_utils.datetime):  # type: ignore[misc]
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return DEFAULT_DATE


def _rendered_by_transformers(source: str, conversation: Conversation, prompt: bool, switches: Any) -> Any:
    """The text and the spans of {% generation %}; None where the template refuses the conversation."""
    try:
        (text,), (spans,) = chat_template_utils.render_jinja_template(
            [[message.as_dict() for message in conversation.messages]],
            tools=list(conversation.tools) or None,
            chat_template=source,
            return_assistant_tokens_mask=True,
            add_generation_prompt=prompt,
            **SPECIAL,
            **switches,
        )
    except Exception:
        return None
    return text, spans


def _rendered_here(source: str, conversation: Conversation, prompt: bool, switches: Any) -> Any:
    try:
        rendered = render(
            ChatTemplate(source, special=SPECIAL), conversation, add_generation_prompt=prompt, switches=switches
        )
    except BrokenTemplate:
        return None
    return rendered.text, list(rendered.generation_spans)


@pytest.mark.parametrize("stem", TEMPLATES)
def test_that_a_template_of_trl_is_rendered_as_transformers_does(stem: str, monkeypatch: Any) -> None:
    monkeypatch.setattr(chat_template_utils, "datetime", _Noon)
    source = TEMPLATES[stem].read_text()
    cases = list(product([source], CONVERSATIONS.values(), [False, True], SWITCHES))
    theirs = [_rendered_by_transformers(*case) for case in cases]
    assert [_rendered_here(*case) for case in cases] == theirs
    assert any(theirs)
