"""The doctor's verdicts against TRL's predicates about chat templates, on the templates that TRL ships and on planted
failures. Skipped where TRL is not installed: see `make test-peers`."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import pytest

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
pytest.importorskip("trl")

import trl
from jinja2 import TemplateError
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast
from trl.chat_template_utils import is_chat_template_prefix_preserving, is_chat_template_stop_token_trained

from core.chat.doctor import Severity, examine
from core.chat.rendering import ChatTemplate
from core.chat.tokenizer import ChatTokenizer
from tests.chat.doctor.planted import PLANTED
from tests.source_texts import ROOT

TEMPLATES = {
    **{path.stem: path.read_text() for path in sorted(Path(trl.__file__).parent.glob("chat_templates/*.jinja"))},
    **{failure: plant.template.source for failure, plant in PLANTED.items()},
}
NOT_STOPPING = {"end-of-turn-not-learned", "end-of-turn-of-next-message", "mask-all-zero"}
MAYBE_NOT_STOPPING = {*NOT_STOPPING, "mask-runs-too-far", "template-refuses"}
"""TRL looks at the last target before the next message. If the mask runs on, that is no end token; it may be one."""

NOT_PRESERVING = {"history-rewritten", "thoughts-dropped"}
_MARK = re.compile(r"<\|[A-Za-z_]+\|>|<｜[^｜]+｜>|</?[a-z_]*turn[a-z_]*>|<\|[a-z]+>|<[a-z]+\|>")


@cache
def patient(name: str) -> tuple[PreTrainedTokenizerFast, frozenset[str]]:
    """The tokenizer of transformers with the template's marks as special tokens, and what the doctor finds ill."""
    source = TEMPLATES[name]
    inner = Tokenizer.from_file(str(ROOT / "resources/models/small-model/tokenizer.json"))
    marks = list(dict.fromkeys(_MARK.findall(source)))
    inner.add_special_tokens(marks)
    named = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>"}
    theirs = PreTrainedTokenizerFast(
        tokenizer_object=inner, chat_template=source, additional_special_tokens=marks, **named
    )
    special = tuple((text, inner.token_to_id(text)) for text in (*named.values(), *marks))
    ours = ChatTokenizer(inner, name, bos="<bos>", eos="<eos>", pad="<pad>", special=special)
    findings = examine(ours, ChatTemplate(source, name, named))
    return theirs, frozenset(finding.failure for finding in findings if finding.severity is Severity.ILL)


def test_that_trl_ships_templates() -> None:
    assert len(TEMPLATES) - len(PLANTED) > 50


@pytest.mark.parametrize("name", TEMPLATES)
def test_that_a_stop_token_that_trl_finds_untrained_is_ill(name: str) -> None:
    theirs, ill = patient(name)
    if is_chat_template_stop_token_trained(theirs):
        assert not ill & NOT_STOPPING
    else:
        assert ill & MAYBE_NOT_STOPPING


@pytest.mark.parametrize("name", TEMPLATES)
def test_that_a_template_that_trl_finds_not_prefix_preserving_is_ill(name: str) -> None:
    """TRL asks about the result of a tool only, so it finds no more than the doctor."""
    theirs, ill = patient(name)
    try:
        is_preserving = is_chat_template_prefix_preserving(theirs)
    except (TemplateError, TypeError):
        pytest.skip("the template has no tool calls")
    assert is_preserving or ill & NOT_PRESERVING


def test_that_both_predicates_say_yes_and_no() -> None:
    """Otherwise the comparison would show nothing."""
    stopping, preserving = set(), set()
    for name in ("qwen3", "qwen3_training", "phi3"):
        theirs, _ = patient(name)
        stopping.add(is_chat_template_stop_token_trained(theirs))
        preserving.add(is_chat_template_prefix_preserving(theirs))
    assert stopping == preserving == {True, False}
