"""What stays Latin in a Chinese text: numbers, single letters, identifiers, the terms that the glossary marks as Latin,
and the names in latin_names.txt.

A text without a Chinese character passes if every word in it is one of these. So does a Chinese text around Latin
words, as long as no run of them reads like an English sentence.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from pathlib import Path

_NAMES = Path(__file__).with_suffix(".txt")
_GLOSSARY = Path(__file__).resolve().parents[1] / "docs" / "glossary.md"

CHINESE = re.compile("[\u4e00-\u9fff]")
_TOKEN = re.compile(r"[^\s,;:!?()\[\]{}<>=|&~^*+×·–—…“”‘’\"'`，。、；：！？（）/\\-]+(?:[./_-][\w.*-]+)*")
_IDENTIFIER = re.compile(
    r"\w*[_\d.@][\w.@%-]*|[\w-]+\.\w+|[A-Z]{2,}[\w-]*|[a-z]+[A-Z]\w*|[a-z][a-z\d.]*(?:-[a-z\d.]+)*-\d[\w.]*", re.ASCII
)
"""With an underscore, a digit or a dot inside, in capitals or camel case: q_proj, v0.1, flash.py, NF4, llama-13b."""
_CITATION = re.compile(r"[A-Z][\w-]+ (?:et al\.|and [A-Z][\w-]+) \d{4}|《[^》]*》(?:：[A-Z][A-Za-z ]+)?")
_MARKUP = re.compile(r"<[^>]+>|&\w+;|\*\.\w+|“[^\s“”]+”|(?<!\w)['\"‘]\S+?['\"’](?!\w)")
"""Tags, patterns of files, and single words in quotes: tokens of a text, names."""
_SENTENCE_WORDS = 4


def english_words(text: str, names: Collection[str] = ()) -> list[str]:
    """The words of a text that should have been Chinese; empty where nothing is wrong with it.

    `names` are what the text is about: the ids of a result, a user's file.
    """
    plain = _MARKUP.sub(" ", _CITATION.sub(" ", text))
    if not CHINESE.search(plain) and all(map(_stays, _TOKEN.findall(plain))):
        return []  # before the names are taken out: 'decoder' is one, 'decoder-only' a term
    for name in sorted(names, key=len, reverse=True):
        plain = re.sub(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])", " ", plain)
    if CHINESE.search(plain):
        return _longest_run(plain)
    return [token for token in _TOKEN.findall(plain) if not _stays(token)]


def _longest_run(text: str) -> list[str]:
    """The English words of a stretch between Chinese characters, where they are as many as a sentence has."""
    for stretch in re.split("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]+", text):
        words = [token for token in _TOKEN.findall(stretch) if not _stays(token)]
        if len(words) >= _SENTENCE_WORDS:
            return words
    return []


def _stays(token: str) -> bool:
    if not re.search("[A-Za-z]", token):
        return True
    bare = token.strip(".'%°$#")
    if not bare.isascii() and all(len(letters) < 3 for letters in re.findall("[A-Za-z]+", bare)):
        return True  # a formula, such as d²/M
    if len(bare) <= 1 or bare in _names() or bare in _latin_terms() or _IDENTIFIER.fullmatch(bare):
        return True
    parts = re.split("[-/.]", bare)
    return len(parts) > 1 and all(part == "" or _stays(part) for part in parts)


@cache
def _names() -> frozenset[str]:
    lines = _NAMES.read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


@cache
def _latin_terms() -> frozenset[str]:
    """The Latin words in the Chinese column of the glossary, for terms that stay Latin; "same" repeats the English."""
    words: set[str] = set()
    for line in _GLOSSARY.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) >= 3 and cells[2] == "yes":
            term = re.sub(r"\(.*?\)", " ", cells[0]) if cells[1] == "same" else cells[1]
            words.update(re.findall(r"[A-Za-z][\w./-]*", term))
    return frozenset(words | {word.capitalize() for word in words})
