"""Tokenizer folders: they open as in transformers, no code of theirs runs, and what is wrong is told in a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from core.chat.conversation import parse_conversation
from core.chat.families import FAMILIES, family_tokenizer
from core.chat.folder import open_tokenizer_folder
from core.chat.rendering import render
from core.contracts.errors import InvalidParams
from tests.chat.template_cases import DIALOGUE

TEXT = "<|im_start|>user\nWho is  Ada é 😀?<|im_end|>\n<tool> [IMG] <extra> <s>x"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The ChatML tokenizer as transformers lays out a folder, with its template in a file of its own."""
    family_tokenizer("chatml").tokenizer.save(str(tmp_path / "tokenizer.json"))
    _write(tmp_path, "tokenizer_config.json", {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"})
    (tmp_path / "chat_template.jinja").write_text(FAMILIES["chatml"].template.source)
    return tmp_path


def _write(folder: Path, name: str, value: Any) -> None:
    (folder / name).write_text(json.dumps(value))


def _config(folder: Path, **changes: Any) -> None:
    _write(folder, "tokenizer_config.json", {**json.loads((folder / "tokenizer_config.json").read_text()), **changes})


def _theirs(folder: Path) -> Any:
    from core.language_model.libraries import silent_transformers

    with silent_transformers():
        from transformers import PreTrainedTokenizerFast

        return PreTrainedTokenizerFast.from_pretrained(folder)


CONFIGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "tokens as objects": {
        "bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": False, "rstrip": False, "normalized": False},
    },
    "tokens that tokenizer.json lacks": {
        "added_tokens_decoder": {
            "1100": {"content": "<tool>", "lstrip": True, "special": False, "normalized": False},
            "1026": {"content": "<|im_start|>", "rstrip": True, "special": True, "normalized": False},
        },
        "additional_special_tokens": ["<extra>"],
    },
    "named tokens": {"extra_special_tokens": {"image_token": "[IMG]"}},
    "flags that tokenizer.json overrules": {"bos_token": "<s>", "add_bos_token": True, "add_eos_token": True},
    "left": {"padding_side": "left", "model_max_length": 4096},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_that_a_folder_opens_as_in_transformers(name: str, folder: Path) -> None:
    _config(folder, tokenizer_class="TokenizersBackend", **CONFIGS[name])
    tokenizer, template = open_tokenizer_folder(folder)
    theirs = _theirs(folder)
    for adds in (False, True):
        encoded = tokenizer.encode(TEXT, add_special_tokens=adds)
        assert encoded.ids.tolist() == theirs(TEXT, add_special_tokens=adds)["input_ids"]
    named = {"bos": tokenizer.bos, "eos": tokenizer.eos, "pad": tokenizer.pad, "unk": tokenizer.unk}
    assert named == {key: getattr(theirs, f"{key}_token") or "" for key in named}
    assert tokenizer.padding_side == theirs.padding_side
    assert tokenizer.max_length == (4096 if name == "left" else None)
    assert {index for _, index in tokenizer.special} == {
        index for index, token in theirs.added_tokens_decoder.items() if token.special
    }
    assert template is not None
    assert template.special == theirs.special_tokens_map
    assert render(template, parse_conversation(DIALOGUE)).text == theirs.apply_chat_template(DIALOGUE, tokenize=False)


def test_that_what_tokenizer_json_adds_to_a_text_is_noticed(folder: Path) -> None:
    family_tokenizer("llama3").tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer, _ = open_tokenizer_folder(folder)
    assert (tokenizer.adds_bos, tokenizer.adds_eos) == (True, False)
    assert tokenizer.encode("a", add_special_tokens=True).tokens == ("<|begin_of_text|>", "a")


def test_that_settings_can_stand_in_the_map_of_special_tokens(folder: Path) -> None:
    _write(folder, "special_tokens_map.json", {"bos_token": "<s>", "eos_token": {"content": "</s>"}})
    tokenizer, _ = open_tokenizer_folder(folder)
    assert (tokenizer.bos, tokenizer.eos) == ("<s>", "<|im_end|>")


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("one", "one"),
        ([{"name": "tool_use", "template": "two"}, {"name": "default", "template": "one"}], "one"),
        ([{"name": "rag", "template": "two"}], "two"),
        ({"default": "one"}, "one"),
        (None, None),
        (3, None),
    ],
)
def test_that_the_template_is_found_in_the_configuration(value: Any, source: str | None, folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    _config(folder, chat_template=value)
    _, template = open_tokenizer_folder(folder)
    assert (template.source if template else None) == source


def test_that_a_file_wins_over_the_configuration_and_a_changed_file_is_read_again(folder: Path) -> None:
    _config(folder, chat_template="from the configuration")
    (folder / "chat_template.jinja").write_text("from the file")
    first, template = open_tokenizer_folder(folder)
    assert template is not None
    assert template.source == "from the file"
    assert open_tokenizer_folder(folder)[0] is first
    (folder / "chat_template.jinja").write_text("changed file")
    changed = open_tokenizer_folder(folder)[1]
    assert changed is not None
    assert changed.source == "changed file"


@pytest.mark.parametrize("file", ["tokenizer_config.json", "config.json"])
@pytest.mark.parametrize(
    "asks",
    [
        {"auto_map": {"AutoTokenizer": ["tokenization_x.Tokenizer", None]}},
        {"auto_map": ["tokenization_x.Tokenizer", None]},
        {"auto_map": {"AutoTokenizer": [None, "tokenization_x.Tokenizer"]}},
        {"trust_remote_code": True},
    ],
)
def test_that_a_folder_that_asks_for_its_own_code_is_refused_and_nothing_runs(
    file: str, asks: Any, folder: Path
) -> None:
    ran = folder / "ran"
    (folder / "tokenization_x.py").write_text(f"open({str(ran)!r}, 'w')\nclass Tokenizer: pass\n")
    _write(folder, file, asks)
    with pytest.raises(InvalidParams, match="code of its own") as caught:
        open_tokenizer_folder(folder)
    assert caught.value.field == "tokenizer"
    assert not ran.exists()


def test_that_code_for_the_model_alone_does_not_matter(folder: Path) -> None:
    _write(folder, "config.json", {"auto_map": {"AutoModelForCausalLM": "modeling_x.Model"}})
    assert open_tokenizer_folder(folder)[0].eos == "<|im_end|>"


def _broken(folder: Path, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    with pytest.raises(InvalidParams) as caught:
        open_tokenizer_folder(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer.json", b"{}"),
        ("tokenizer.json", b"\x00\x01"),
        ("tokenizer.json", b'{"version": "1.0", "model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}'),
        ("tokenizer_config.json", b"[1]"),
        ("tokenizer_config.json", b"{"),
        ("special_tokens_map.json", b"{" * 100_000),
        ("chat_template.jinja", b"\xff\xfe\x00"),
    ],
)
def test_that_a_broken_file_is_named(name: str, content: bytes, folder: Path) -> None:
    assert name in _broken(folder, name, content)


def test_that_a_pipe_in_place_of_a_file_is_not_waited_for(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    os.mkfifo(folder / "tokenizer.json")
    with pytest.raises(InvalidParams, match="not a regular file"):
        open_tokenizer_folder(folder)


def test_that_strange_settings_are_ignored(folder: Path) -> None:
    strange = {
        "bos_token": 3, "pad_token": None, "model_max_length": "long", "padding_side": 4, "add_bos_token": "yes",
        "added_tokens_decoder": {"x": {}, "9" * 5000: {"content": "a"}, "7": 3, "8": {"content": "<a>", "lstrip": 2}},
        "extra_special_tokens": [3, {"content": "<b>"}, {}], "chat_template": {"default": 3},
    }  # fmt: skip
    _config(folder, **strange)
    tokenizer, _ = open_tokenizer_folder(folder)
    assert (tokenizer.bos, tokenizer.pad, tokenizer.max_length, tokenizer.padding_side) == ("", "", None, "right")
    assert len(tokenizer.encode("<b>")) == 1
    assert len(tokenizer.encode("<a>")) == 1


@pytest.mark.parametrize("name", ["tokenizer.model", "vocab.json"])
def test_that_a_slow_tokenizer_is_told_how_to_become_a_fast_one(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InvalidParams, match="save_pretrained") as caught:
        open_tokenizer_folder(tmp_path)
    assert name in str(caught.value)


def test_that_a_folder_without_a_tokenizer_a_file_and_nothing_are_refused(tmp_path: Path) -> None:
    for path, words in ((tmp_path, "no tokenizer.json"), (Path(__file__), "is a file"), (tmp_path / "x", "not exist")):
        with pytest.raises(InvalidParams, match=words):
            open_tokenizer_folder(path)
