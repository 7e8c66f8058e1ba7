"""Search finds what people look for, in either language."""

from __future__ import annotations

import pytest

from core.questions.reading import read_questions
from core.questions.search import QuestionSearch


@pytest.fixture(scope="module")
def search() -> QuestionSearch:
    return QuestionSearch(read_questions())


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("flash attention save", "what-flash-attention-saves"),
        ("flashattention 省了什么", "what-flash-attention-saves"),
        ("is flash attention exact", "flash-is-exact"),
        ("sram", "hbm-and-sram"),
        ("sqrt d", "why-divide-by-sqrt-d"),
        ("根号", "why-divide-by-sqrt-d"),
        ("softmax overflow", "why-subtract-the-maximum"),
        ("溢出", "why-subtract-the-maximum"),
        ("mqa", "mha-and-mqa"),
        ("kv cache size", "kv-cache-size"),
        ("prefill decode", "prefill-and-decode"),
        ("padding mask", "padding-mask"),
        ("decoder only", "why-decoder-only"),
        ("两个注意力", "decoder-attentions"),
        ("stages of training", "training-stages"),
        ("dpo loss", "dpo-first-loss"),
        ("second epoch", "loss-steps"),
        ("台阶", "loss-steps"),
        ("sft knowledge", "sft-and-knowledge"),
        ("幻觉", "sft-and-hallucination"),
        ("prompt tuning p-tuning v2", "prompt-tuning-or-p-tuning-v2"),
        ("b = 0", "lora-b-zero"),
        ("nf4 int4", "why-nf4"),
        ("双重量化", "double-quantization"),
        ("coalescd", "coalescing"),
    ],
)
def test_that_a_question_is_among_the_first_three(search: QuestionSearch, query: str, wanted: str) -> None:
    assert wanted in [question.id for question in search.find(query, limit=3)]


def test_that_no_query_lists_all_and_nonsense_lists_none(search: QuestionSearch) -> None:
    assert [question.id for question in search.find("")] == [question.id for question in read_questions()]
    assert search.find("qwertyuiop") == []
