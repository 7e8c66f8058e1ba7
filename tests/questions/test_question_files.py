"""The questions that come with the program: complete in every language, and every reference leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import language
from core.contracts.registry import TOPICS, topic
from core.contracts.written import Written
from core.questions.guesses import ChoiceGuess, VerdictGuess, metrics_of
from core.questions.question import Question, QuestionBook
from core.questions.reading import read_questions, shipped_questions
from core.units import UNITS
from tests.chinese_setting import wrongly_set
from tests.latin_names import english_words
from tests.page_declarations import cards_of, source_of
from tests.test_documents import rejected_words

ROOT = Path(__file__).resolve().parents[2]
LEAST = 60

NOT_ASKED = {("decoder", "equals-torch")}
"""Claims that check this program, and that nobody asks about."""

DERIVED = {"causal-half", "coalescing", "mask-infinity"}
"""Questions whose answers have numbers that follow from the sentence they stand in."""

_QUANTITY = re.compile(r"\d[\d,.]*\s?(?:%|[kMGT]?B\b|TB/s|ms\b|bits\b|nats\b|times\b|million|billion|FLOPs)")
_SENTENCE_END = {"en": r"(?<![. ]al)[.?!](?=\s|$)", "zh": r"[。？！]"}


@pytest.fixture(scope="module")
def book() -> QuestionBook:
    return read_questions()


def shown_texts(question: Question) -> Iterator[Written]:
    yield from (question.question, question.answer)
    if question.ask:
        yield question.ask
    yield from question.options.values()


def chinese_texts(book: QuestionBook) -> Iterator[tuple[str, str]]:
    for question in book:
        for written in shown_texts(question):
            yield question.id, dict(written.others).get("zh", "")


def test_that_the_questions_are_the_same_unchecked(book: QuestionBook) -> None:
    assert shipped_questions() == book


def test_that_there_are_enough_questions_in_several_groups(book: QuestionBook) -> None:
    assert len(book) >= LEAST
    assert len(book.groups) >= 6
    assert len({group.id for group in book.groups}) == len(book.groups)


def test_that_every_text_is_there_in_every_language(book: QuestionBook) -> None:
    others = set(language.LANGUAGES) - {language.ENGLISH}
    missing = [
        question.id
        for question in book
        for written in (*shown_texts(question), question.words)
        if not written.message or {code for code, text in written.others if text} != others
    ]
    assert missing == []
    assert all({code for code, _ in group.title.others} == others for group in book.groups)


def test_that_no_question_is_asked_twice(book: QuestionBook) -> None:
    for code in language.LANGUAGES:
        asked = [question.question.in_language(code) for question in book]
        assert len(set(asked)) == len(asked)


def test_that_every_page_has_the_parameters_and_claims_of_its_questions(book: QuestionBook) -> None:
    for question in book:
        assert question.page in TOPICS, question.id
        assert question.params.model_dump().items() >= question.set.items(), question.id
        assert {claim.id for claim in question.statements} == set(question.claims), question.id


def test_that_no_question_sets_a_parameter_to_its_default(book: QuestionBook) -> None:
    superfluous = [
        (question.id, name)
        for question in book
        for name, value in question.set.items()
        if type(question.params).model_fields[name].default == value and question.page != "fine-tuning"
    ]
    assert superfluous == []


def test_that_every_claim_of_every_page_is_asked_about(book: QuestionBook) -> None:
    asked = {(question.page, claim) for question in book for claim in question.claims}
    claims = {(topic_id, claim.id) for topic_id in TOPICS for claim in topic(topic_id).claims}
    assert claims - asked == NOT_ASKED


def test_that_a_guess_says_what_is_guessed(book: QuestionBook) -> None:
    for question in book:
        if question.guess is not None:
            assert str(question.guessed), question.id
        if isinstance(question.guess, ChoiceGuess):
            assert set(question.options) == set(question.guess.metrics), question.id
        if isinstance(question.guess, VerdictGuess):
            assert question.guess.claim in question.claims, question.id


def test_that_the_metrics_of_every_page_are_compared_with_those_of_a_run(book: QuestionBook) -> None:
    """tests/topics/test_*_experiment.py and test_kernel_lab_examples.py do that."""
    for page in {question.page for question in book if question.guess is not None and metrics_of(question.guess)}:
        files = (ROOT / "tests/topics").glob(f"test_{page.replace('-', '_')}_*.py")
        assert any(f'asked_metrics("{page}")' in file.read_text(encoding="utf-8") for file in files), page


def test_that_the_unit_of_a_guess_is_known(book: QuestionBook) -> None:
    symbols = {"", "×", "%", "M", "kB", "MB", "TB/s", "GFLOP", "FLOP/B"}
    units = {getattr(question.guess, "unit", "") for question in book}
    assert units <= symbols | set(UNITS)


def test_that_a_card_and_a_selection_exist_on_the_page(book: QuestionBook) -> None:
    for question in book:
        assert not question.card or question.card in cards_of(question.page), (question.id, cards_of(question.page))
        for kind in question.select:
            assert re.search(rf"\b{kind}=|['\"]{kind}['\"]", source_of(question.page)), (question.id, kind)


def test_that_every_answer_has_two_sentences_in_every_language(book: QuestionBook) -> None:
    for question in book:
        for code, end in _SENTENCE_END.items():
            answer = question.answer.in_language(code)
            assert len(re.findall(end, answer)) == 2, (question.id, code, answer)
            assert re.search(end + "$", answer), (question.id, code)
            assert "\n" not in answer


def test_that_questions_and_answers_are_short(book: QuestionBook) -> None:
    limits = {"en": (80, 300), "zh": (50, 150)}
    long = [
        (question.id, code, len(text), limit)
        for question in book
        for code, both in limits.items()
        for written, limit in zip((question.question, question.answer), both, strict=True)
        if len(text := written.in_language(code)) > limit
    ]
    assert long == []


def test_that_questions_are_questions(book: QuestionBook) -> None:
    for question in book:
        for written in (question.question, question.ask) if question.ask else (question.question,):
            assert written.in_language("en").endswith("?"), question.id
            assert written.in_language("zh").endswith("？"), question.id


def test_that_who_measured_a_number_is_named(book: QuestionBook) -> None:
    unsourced = {question.id for question in book if _QUANTITY.search(question.answer.message) and not question.sources}
    assert unsourced - DERIVED == set()


def test_that_chinese_texts_use_the_terms_of_the_glossary(book: QuestionBook) -> None:
    words = rejected_words()
    assert [(id, word) for id, text in chinese_texts(book) for word in words if word in text] == []


def test_that_chinese_texts_are_chinese(book: QuestionBook) -> None:
    found = [(id, text, words) for id, text in chinese_texts(book) if (words := english_words(text))]
    assert found == []


def test_that_chinese_texts_are_set_as_the_glossary_says(book: QuestionBook) -> None:
    assert [(id, wrong) for id, text in chinese_texts(book) for wrong in wrongly_set(text)] == []


def test_that_both_languages_state_the_same_numbers(book: QuestionBook) -> None:
    said_otherwise = {"lora-in-gpt-3", "double-quantization"}
    number = re.compile(r"(?<![A-Za-z\d-])\d+(?:[.,]\d+)*")
    different = {
        question.id
        for question in book
        if set(number.findall(question.answer.in_language("en")))
        != set(number.findall(question.answer.in_language("zh")))
    }
    assert different == said_otherwise
