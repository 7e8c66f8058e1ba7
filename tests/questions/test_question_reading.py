"""Question files that cannot be used are refused in one sentence, which names the file and the place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core import language
from core.questions import reading
from core.questions.reading import MAX_FILE_BYTES, InvalidQuestions, read_questions, shipped_questions

FACTS = """
order = 1
[[questions]]
id = "is-it-exact"
page = "flash-attention"
set = { causal = false, seq_len = 512 }
claims = ["same-result"]
"""
TEXTS = """
title = "Attention"
[questions.is-it-exact]
question = "Is it exact?"
answer = "Yes, up to rounding. Nothing is approximated."
"""
CHINESE = """
title = "注意力"
[questions.is-it-exact]
question = "结果精确吗？"
answer = "精确，只差舍入。没有任何近似。"
"""
NUMBER = 'guess = { kind = "number", metric = "traffic.ratio", within = 0.1 }\n'


def written(folder: Path, facts: str = FACTS, english: str = TEXTS, chinese: str | None = CHINESE) -> Path:
    for code in language.LANGUAGES:
        (folder / code).mkdir(exist_ok=True)
    (folder / "attention.toml").write_text(facts, encoding="utf-8")
    (folder / "en/attention.toml").write_text(english, encoding="utf-8")
    if chinese is not None:
        (folder / "zh/attention.toml").write_text(chinese, encoding="utf-8")
    return folder


def test_that_a_question_has_its_facts_and_its_texts(tmp_path: Path) -> None:
    [question] = read_questions(written(tmp_path))
    assert (question.id, question.group, question.page) == ("is-it-exact", "attention", "flash-attention")
    assert question.params.model_dump().items() >= {"causal": False, "seq_len": 512}.items()
    assert [claim.id for claim in question.statements] == ["same-result"]
    with language.using("zh"):
        assert str(question.question) == "结果精确吗？"
    assert str(question.question) == "Is it exact?"
    assert question.question.in_language(language.PSEUDO).startswith("[")
    assert not question.guessed


def test_that_a_language_without_texts_shows_english(tmp_path: Path) -> None:
    [question] = read_questions(written(tmp_path, chinese=None))
    assert question.answer.in_language("zh") == "Yes, up to rounding. Nothing is approximated."


def test_that_groups_come_in_their_order_and_training_is_of_the_whole_group(tmp_path: Path) -> None:
    written(tmp_path, FACTS.replace("order = 1", "order = 2\ntrains = true"))
    (tmp_path / "zebra.toml").write_text(FACTS.replace("is-it-exact", "another"), encoding="utf-8")
    (tmp_path / "en/zebra.toml").write_text(TEXTS.replace("is-it-exact", "another"), encoding="utf-8")
    book = read_questions(tmp_path)
    assert [group.id for group in book.groups] == ["zebra", "attention"]
    assert [question.trains for question in book] == [False, True]
    assert book.get("another") is not None
    assert book.get("nothing") is None
    assert len(book) == 2


@pytest.mark.parametrize(
    ("facts", "english", "reason"),
    [
        ("order = ", TEXTS, "attention.toml cannot be used: it is no TOML"),
        ("order = 1", TEXTS, "questions: Field required"),
        (FACTS + 'colour = "red"', TEXTS, "questions.0.colour: Extra inputs are not permitted"),
        (FACTS.replace("is-it-exact", "Is It"), TEXTS, "questions.0.id"),
        (FACTS.replace('["same-result"]', "[]"), TEXTS, "questions.0.claims"),
        (FACTS, TEXTS.replace("is-it-exact", "other"), "there is no question other in the group"),
        (FACTS, 'title = "Attention"\n[questions]', "the question is-it-exact has no text"),
        (FACTS + NUMBER, TEXTS, "is-it-exact needs 'ask'"),
        (FACTS, TEXTS + 'ask = "How many?"', "is-it-exact needs 'ask'"),
        (FACTS, TEXTS + 'options = { a = "A" }', "the options of is-it-exact are not those of its guess"),
        (FACTS + 'guess = { kind = "verdict", claim = "other" }', TEXTS, "is not one of its claims"),
        (FACTS + NUMBER.replace(", within = 0.1", ""), TEXTS, "within or margin must be larger than 0"),
        (FACTS + 'guess = { kind = "largest", metrics = { a = "b" } }', TEXTS, "at least 2 items"),
        (FACTS.replace("512", '"' + "x" * 5000 + '"'), TEXTS, "questions.0.set.seq_len"),
        (FACTS + "#" * MAX_FILE_BYTES, TEXTS, "it is larger than 262 kB"),
        (FACTS + FACTS.replace("order = 1", ""), TEXTS, "is-it-exact is the name of two questions"),
    ],
)
def test_that_a_bad_file_is_refused_with_file_and_place(tmp_path: Path, facts: str, english: str, reason: str) -> None:
    with pytest.raises(InvalidQuestions) as raised:
        read_questions(written(tmp_path, facts, english, chinese=None))
    assert reason in raised.value.sentence
    assert str(tmp_path) in raised.value.sentence


def test_that_bad_bytes_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidQuestions, match="there is no file in it"):
        read_questions(tmp_path)
    written(tmp_path)
    (tmp_path / "zh/attention.toml").write_bytes(b"title = '\xff'")
    with pytest.raises(InvalidQuestions, match="it is no TOML"):
        read_questions(tmp_path)
    (tmp_path / "en/attention.toml").unlink()
    with pytest.raises(InvalidQuestions, match="it does not exist"):
        read_questions(tmp_path)


@pytest.mark.parametrize("damaged", ["order = 1", FACTS.replace("claims", "claim"), FACTS.replace("order = 1", "")])
def test_that_damaged_questions_of_the_program_are_told_like_others(
    tmp_path: Path, damaged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "FOLDER", written(tmp_path, damaged))
    with pytest.raises(InvalidQuestions, match="Field required"):
        shipped_questions()


def test_that_the_window_reads_its_questions_without_pydantic() -> None:
    script = (
        "import sys; from core.questions import QuestionSearch, shipped_questions; QuestionSearch(shipped_questions())"
    )
    names = ("pydantic", "numpy", "core.questions.checking")
    printed = subprocess.check_output(
        [sys.executable, "-c", f"{script}; print([name for name in {names} if name in sys.modules])"],
        cwd=Path(__file__).resolve().parents[2],
        text=True,
        timeout=60,
    )
    assert printed.strip() == "[]"
