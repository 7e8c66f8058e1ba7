"""The catalogue is complete, and nothing that the user reads bypasses it.

A test that fails lists what is left to do, file by file.
"""

from __future__ import annotations

import ast
import io
import re
import string
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir, extract_from_file
from babel.messages.frontend import parse_keywords
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from tests import source_texts
from tests.latin_names import CHINESE, english_words
from tests.source_texts import KEYWORDS, PATHS, ROOT, Literal

CATALOGUE = ROOT / "resources/locale/zh/LC_MESSAGES/tilescope.po"

# What the scan for strings takes for text and is none for the user: path, a part of the string ("" for all), why.
ALLOWED = (
    ("core/proofs/translation.py", "(", "SMT-LIB, which z3 reads"),
    ("core/commands/parser.py", "(?P<", "the parser's own sentences, recognized and translated"),
    ("core/sanitizer/kinds.py", "", "ids of the kinds, the same in every language; their names are messages"),
    ("core/checkpoint/incomplete.py", "hf download", "a command to copy"),
    ("core/engine/history.py", "id, topic, params", "columns of a table"),
    ("core/engine/history.py", "topic, result", "columns of a table"),
    ("core/out_of_memory.py", "out of memory", "what torch says, compared with"),
    ("core/out_of_memory.py", "can't allocate memory", "what torch says, compared with"),
    ("core/engine/worker.py", ", process {}", "names a worker, and is not shown"),
    ("core/language_model/relations.py", "", "English sentences that the small model is trained on"),
    ("core/topics/training/stages/answers.py", "", "English sentences that the small model is trained on"),
    ("core/topics/dialogue/example.py", "", "a conversation about people of the small model's world"),
    ("core/topics/dialogue/world_conversations.py", "", "English sentences that the small model is trained on"),
    ("core/masks/presets.py", "The quick brown fox", "an example text whose tokens a mask is drawn over"),
    ("core/masks/presets.py", "<doc> Cats sleep", "another"),
    ("core/masks/presets.py", "<system> Be brief", "another"),
    ("core/masks/presets.py", "Translate into French", "another"),
    ("core/masks/presets.py", "translate English to German", "another"),
    ("core/masks/presets.py", "<start> Das ist gut", "another"),
    ("core/masks/presets.py", "Write one line about cats", "another"),
    ("core/masks/presets.py", "arXiv", "where a preset comes from: for who reads the code"),
    ("core/masks/source_code.py", "", "comments in generated code are English, as those in all code are"),
    ("gui/window/status_bar.py", "Qt for Python", "names with their versions"),
    ("core/chat/doctor/probes.py", "", "conversations that a template is tried with"),
    ("core/topics/decoder/params.py", "cat sat", "an example text that the network reads"),
    ("core/topics/decoder/params.py", "sat cat", "the same, reversed"),
    ("core/topics/flash_attention/paper.py", "", "the parts of the paper's figures, in the JSON of a result only"),
    ("core/topics/kernel_lab/report.py", "addresses only", "a value of the JSON report"),
    ("core/user_code/stack.py", "most recent call last", "Python's own line"),
    ("core/topics/lora/experiment/kernels.py", "codes of W", "the name of a tensor in a result; gui shows 'W in NF4'"),
    ("core/topics/masks/experiment/evidence.py", "this mask", "an id, compared with"),
    ("core/topics/quantization/experiment/kernels.py", "scale", "names of tensors, in the JSON of a result only"),
    ("core/topics/quantization/experiment/samples.py", "scales", "names of scales, in the JSON of a result only"),
    ("core/topics/quantization/labels.py", "small model", "the id of a model; its label is a message"),
    ("gui/window/qt_messages.py", "propagateSizeHints", "Qt's own message, compared with"),
)

FILLED_LATER = (
    "core/engine/exit_reason.py",
    "core/language_model/folder.py",
    "core/language_model/folder_files.py",
    "core/topics/lora/experiment/__init__.py",
)
"""Modules with messages that get a value that all of them have, such as the folder, in one place."""

Key = tuple[str, str | None]
"""Message id and context."""


def _key(message_id: str | tuple[str, ...], context: str | None) -> Key:
    return (message_id if isinstance(message_id, str) else message_id[0]), context


@pytest.fixture(scope="module")
def extracted() -> tuple[dict[Key, str], str]:
    """Each message that Babel finds, with one place where it stands; and what Babel says about the source."""
    keywords, places, warnings = parse_keywords(KEYWORDS), {}, io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", warnings)
        for path in PATHS:
            for file, line, message, context in _extract(ROOT / path, keywords):
                places[_key(message, context)] = f"{file.relative_to(ROOT).as_posix()}:{line}"
    return places, warnings.getvalue()


def _extract(path: Path, keywords: object) -> Iterator[tuple[Path, int, str | tuple[str, ...], str | None]]:
    if path.is_dir():
        for name, line, message, _, context in extract_from_dir(path, [("**.py", "python")], {}, keywords):  # type: ignore[arg-type]
            yield path / name, line, message, context
    else:
        for line, message, _, context in extract_from_file("python", path, keywords):  # type: ignore[arg-type]
            yield path, line, message, context


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    return read_po(io.BytesIO(CATALOGUE.read_bytes()), locale="zh")


@pytest.fixture(scope="module")
def messages(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def translations(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


def originals(message: Message) -> list[str]:
    return [message.id] if isinstance(message.id, str) else list(message.id)


def report(title: str, lines: Iterable[str]) -> None:
    """Fail with a list, if there is anything in it, below the file that each line begins with."""
    by_file = defaultdict(list)
    for line in lines:
        file, _, rest = line.partition(":")
        by_file[file].append(rest)
    if by_file:
        total = sum(map(len, by_file.values()))
        listed = "\n".join(f"{file} ({len(rest)})\n  " + "\n  ".join(rest) for file, rest in sorted(by_file.items()))
        pytest.fail(f"{total} × {title}\n{listed}", pytrace=False)


def placeholders(text: str) -> set[tuple[str, str, str]]:
    """Name, format spec and conversion of each value in a message."""
    return {
        (name, spec or "", conversion or "")
        for _, name, spec, conversion in string.Formatter().parse(text)
        if name is not None
    }


# The source


def test_that_babel_has_nothing_to_warn_of(extracted: tuple[dict[Key, str], str]) -> None:
    lines = [line.replace(f"{ROOT.as_posix()}/", "") for line in extracted[1].splitlines() if "warning" in line]
    report("message that is no literal, or empty", (line.split("  ")[0] for line in lines))


def test_that_every_message_is_a_literal_that_babel_sees(extracted: tuple[dict[Key, str], str]) -> None:
    """Babel does not look into the arguments of a call inside a message: give such a message a name first."""
    seen = {message for message, _ in extracted[0]}
    definitions = ("core/contracts/text.py", "kernels/errors.py")
    report(
        "message that cannot be extracted",
        (
            f"{call.path}:{call.line}: {call.function}({call.message!r})"
            for call in source_texts.message_calls()
            if call.path not in definitions and call.message not in seen
        ),
    )


def test_that_each_message_names_the_values_that_it_gets() -> None:
    def lines() -> Iterator[str]:
        for call in source_texts.message_calls():
            if call.message is None or call.values is None:
                continue
            named = {re.split(r"[.\[]", name)[0] for text in call.strings for name, _, _ in placeholders(text)}
            given = call.values | ({"count"} & named if call.function == "tr_plural" else set())
            if given - {"count"} - named or (named - given and call.path not in FILLED_LATER):
                yield f"{call.path}:{call.line}: {sorted(named)} in the message, {sorted(given)} given"

    report("message whose values differ", lines())


@pytest.mark.parametrize("path", PATHS)
def test_that_no_text_for_the_user_bypasses_the_catalogue(path: str) -> None:
    if path == "kernels":
        pytest.skip("below core there is no Text: its errors are messages by their class, the rest is internal")
    found = [text for file in source_texts.files(path) for text in source_texts.bypassing(file)]
    report("string that is no message", (str(text) for text in found if not _is_allowed(text)))


def _is_allowed(text: Literal) -> bool:
    return any(text.path == path and part in text.text for path, part, _ in ALLOWED)


def test_that_every_exception_is_still_needed() -> None:
    unused = [
        exception
        for exception in ALLOWED
        if not any(exception[1] in text.text for text in source_texts.bypassing(ROOT / exception[0]))
    ]
    assert unused == []


def test_that_the_scan_finds_what_it_should_and_nothing_else() -> None:
    source = '''
"""A docstring with words."""
class Page:
    """Another docstring here."""
    HELP = tr("A message is fine.")
    EMPTY = "Nothing has happened yet."
    def build(self, name: "a type with words") -> None:
        label, other = QLabel("Run"), QLabel("")
        label.setText(f"{self.count} rows")
        label.setToolTip(str(tr("Nothing to see here, {name}.", name=name)))
        label.setObjectName("one two three")
        label.setStyleSheet("color: red; border: none")
        raise InvalidParams(f"The file {name} does not exist.")
    def draw(self, painter):
        painter.drawText(rect, "Rows" if self.rows else "NF4")
        if self.mode == "of the weights":
            raise ValueError("an internal mistake, said to a programmer")
        return {"a key of words": 1, "key": "said by nobody at all"}
        return verbatim("FlashAttention"), verbatim("this is none")
    def words(self):
        log.debug("what a programmer reads"); assert self.x, "never seen by anyone"
        return re.compile(r"a pattern of words"), "causal", "q_proj", f"{self.a}/{self.b}", "Vaswani et al. 2017"
'''
    found = source_texts.bypassing_of(ast.parse(source), "page.py")
    assert [text.text for text in found] == [
        "Nothing has happened yet.", "Run", "{} rows", "The file {} does not exist.", "Rows",
        "said by nobody at all", "this is none",
    ]  # fmt: skip


# The catalogue


def test_that_the_catalogue_holds_the_messages_of_the_source_and_no_others(
    extracted: tuple[dict[Key, str], str], catalogue: Catalog, messages: list[Message]
) -> None:
    known = {_key(message.id, message.context) for message in messages}
    places = extracted[0]
    missing = (f"{places[key]}: {key[0]!r}: not in the catalogue" for key in places if key not in known)
    stale = (f"{CATALOGUE.name}: {key[0]!r}: not in the source" for key in known if key not in places)
    report("difference: run `make messages`", [*missing, *stale])
    assert not catalogue.obsolete


def test_that_every_message_is_translated_and_none_is_fuzzy(
    extracted: tuple[dict[Key, str], str], messages: list[Message]
) -> None:
    report(
        "message without a Chinese translation",
        (
            f"{extracted[0].get(_key(message.id, message.context), CATALOGUE.name)}: {originals(message)[0]!r}"
            for message in messages
            if message.fuzzy or not all(text.strip() for text in translations(message))
        ),
    )


def test_that_the_compiled_catalogue_is_that_of_the_translations(catalogue: Catalog) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    assert compiled.getvalue() == CATALOGUE.with_suffix(".mo").read_bytes(), "run `make messages`"


def test_that_chinese_has_one_plural_form(catalogue: Catalog, messages: list[Message]) -> None:
    assert (catalogue.num_plurals, catalogue.plural_expr) == (1, "0")
    for message in messages:
        assert len(translations(message)) == 1, message.id


def test_that_translations_have_the_placeholders_of_their_message(messages: list[Message]) -> None:
    def lines() -> Iterator[str]:
        for message in translated(messages):
            expected = placeholders(originals(message)[-1])  # the plural form holds the count too
            for text in translations(message):
                if placeholders(text) != expected:
                    yield f"{CATALOGUE.name}: {message.id!r}: {text!r}"

    report("translation with other placeholders", lines())


def translated(messages: list[Message]) -> Iterator[Message]:
    return (message for message in messages if all(translations(message)))


def test_that_no_percent_sign_looks_like_a_placeholder(messages: list[Message]) -> None:
    """Babel takes the '% o' of '3% of' for one, and then `make messages` fails: use a value such as {share:.1%}."""
    report("percentage outside of a value", (f"{message.id}" for message in messages if message.python_format))


def test_that_translations_are_chinese(messages: list[Message]) -> None:
    report(
        "translation in English",
        (
            f"{CATALOGUE.name}: {text!r}: {', '.join(words)}"
            for message in translated(messages)
            for text in translations(message)
            if (words := english_words(re.sub(r"\{[^}]*\}", " ", text)))
        ),
    )


_STYLE = {
    "half-width punctuation after Chinese": re.compile("[\u4e00-\u9fff）”] ?[,;:!?]|[\u4e00-\u9fff）”]\\.(?:\\s|$)"),
    "half-width brackets around Chinese": re.compile("\\([^()]*[\u4e00-\u9fff][^()]*\\)"),
    "straight quotes": re.compile("\"[\u4e00-\u9fff]|[\u4e00-\u9fff]\"|'[\u4e00-\u9fff]|[\u4e00-\u9fff]'"),
    "no space between Chinese and Latin": re.compile("[\u4e00-\u9fff][A-Za-z0-9]|[A-Za-z0-9][\u4e00-\u9fff]"),
    "a space beside full-width punctuation": re.compile(" [，。、；：！？）”]|[，。、；：！？（“] "),
}


def test_that_translations_are_set_as_the_glossary_says(messages: list[Message]) -> None:
    glossary = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    rejected = {
        word for remark in re.findall("不写((?:“[^”]+”、?)+)", glossary) for word in re.findall("“([^”]+)”", remark)
    }
    report(
        "translation against docs/glossary.md",
        (
            f"{CATALOGUE.name}: {fault}: {text!r}"
            for message in translated(messages)
            for text in translations(message)
            for fault in (
                *(name for name, pattern in _STYLE.items() if pattern.search(text)),
                *(f"the word {word}" for word in rejected if word in text),
            )
        ),
    )


def test_that_a_message_keeps_its_translation_in_each_context(catalogue: Catalog) -> None:
    contexts = {message.context for message in catalogue if message.id and message.context}
    for message in catalogue:
        if message.id and message.context in contexts:
            assert catalogue.get(originals(message)[0], message.context) is message


def test_that_a_text_is_chinese_or_a_name() -> None:
    for text in ("NF4", "12.5 MB", "q_proj", "FlashAttention", "Q K^T / sqrt(d)", "运行", "量化后的 absmax", "3 × 64"):
        assert not english_words(text), text
    assert english_words("Run the kernel") == ["Run", "the"]
    assert english_words("错误：the file is missing here") == ["the", "file", "is", "missing", "here"]
    assert CHINESE.search("块")
