"""The chat formats that come with the program: a template and the special tokens of each, and a tokenizer for it.

The templates are in resources/chat_templates, with what was published about each format. All of them have
{% generation %} blocks, and what they write for a message does not change what they wrote before it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.chat.rendering import ChatTemplate
from core.chat.tokenizer import ChatTokenizer, chat_tokenizer
from core.contracts.errors import UnknownName
from core.contracts.text import tr

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FOLDER = Path(__file__).resolve().parents[2] / "resources" / "chat_templates"
_SMALL_TOKENIZER = FOLDER.parent / "models" / "small-model" / "tokenizer.json"
_NAMED = ("bos", "eos", "pad", "unk")


@dataclass(frozen=True)
class Family:
    """A chat format. `by` and `source` say who made it and where it is described.

    `bos`, `eos`, `pad` and `unk` are '' where the format has no such token. `tokens` are all its special tokens,
    `end_of_turn` those that end an assistant's turn, and `adds` those that its tokenizer puts in front of a text.
    """

    name: str
    by: str
    source: str
    template: ChatTemplate
    bos: str
    eos: str
    pad: str
    unk: str
    tokens: tuple[str, ...]
    end_of_turn: tuple[str, ...]
    adds: tuple[str, ...]


def _families() -> dict[str, Family]:
    described = tomllib.loads((FOLDER / "families.toml").read_text(encoding="utf-8"))
    families = {}
    for name, entry in described.items():
        named = {key: entry.get(key, "") for key in _NAMED}
        special = {f"{key}_token": token for key, token in named.items() if token}
        source = (FOLDER / f"{name}.jinja").read_text(encoding="utf-8")
        families[name] = Family(
            name=name,
            by=entry["by"],
            source=entry["source"],
            template=ChatTemplate(source, name, special),
            **named,
            tokens=tuple(dict.fromkeys([*special.values(), *entry["tokens"]])),
            end_of_turn=tuple(entry["end_of_turn"]),
            adds=tuple(entry["adds"]),
        )
    return families


FAMILIES: dict[str, Family] = _families()


def family(name: str) -> ChatTemplate:
    """The template of a family. Raises UnknownName."""
    return _family(name).template


@lru_cache(maxsize=16)
def family_tokenizer(name: str) -> ChatTokenizer:
    """The small model's tokenizer with the special tokens of that family in place of its own. Raises UnknownName.

    Ids below 1,024 are those of the small model. Its own special tokens become ordinary text, unless the family has a
    token of the same name.
    """
    from tokenizers import processors

    chosen = _family(name)
    tokenizer = _with_tokens(chosen.tokens)
    ids = {token: tokenizer.token_to_id(token) for token in chosen.tokens}
    if chosen.adds:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=[*chosen.adds, "$A"], special_tokens=[(token, ids[token]) for token in chosen.adds]
        )
    return chat_tokenizer(tokenizer, name, bos=chosen.bos, eos=chosen.eos, pad=chosen.pad, unk=chosen.unk)


def small_tokenizer_like(other: ChatTokenizer) -> ChatTokenizer:
    """The small model's tokenizer with the special tokens of another one in place of its own, each with the same role.

    Ids below 1,024 are those of the small model.
    """
    named = {key: getattr(other, key) for key in _NAMED}
    return _small_tokenizer(other.name, tuple(text for text, _ in other.special if text), tuple(named.items()))


@lru_cache(maxsize=4)
def _small_tokenizer(name: str, special: tuple[str, ...], named: tuple[tuple[str, str], ...]) -> ChatTokenizer:
    texts = dict(named)
    return chat_tokenizer(
        _with_tokens(special), name, bos=texts["bos"], eos=texts["eos"], pad=texts["pad"], unk=texts["unk"]
    )


def _with_tokens(special: Collection[str]) -> Tokenizer:
    from tokenizers import Tokenizer

    contents = json.loads(_SMALL_TOKENIZER.read_text(encoding="utf-8"))
    contents["added_tokens"] = [token for token in contents["added_tokens"] if token["content"] in special]
    tokenizer = Tokenizer.from_str(json.dumps(contents))
    tokenizer.add_special_tokens(list(special))
    return tokenizer


def _family(name: str) -> Family:
    try:
        return FAMILIES[name]
    except KeyError:
        raise UnknownName(
            tr("There is no chat format {name}: choose one of {names}.", name=name, names=", ".join(FAMILIES))
        ) from None
