from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.contracts.registry import topic
from core.contracts.text import tr
from core.contracts.topic import Topic
from core.palette.assignment import Assignment, assignments, name_in
from tests.gui.doubles import TOPIC, ToyParams

SECOND = replace(TOPIC, id="second", title=tr("Second"))
TOPICS = (TOPIC, SECOND)


def typed(query: str) -> list[Assignment]:
    return assignments(query, TOPICS, lambda topic: topic.params())


def set_on(topic: Topic, query: str) -> dict[str, object]:
    return {each.spec.name: each.value for each in typed(query) if each.topic is topic and each.params is not None}


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("seq_len 4096", "seq_len", 4096),
        ("seq_len=4096", "seq_len", 4096),
        ("seq_len = 4,096", "seq_len", 4096),
        ("Length 64", "seq_len", 64),
        ("seq 64", "seq_len", 64),
        ("scale 0.25", "scale", 0.25),
        ("causal off", "causal", False),
        ("causal 是", "causal", True),
        ("dtype b", "dtype", "bf16"),
        ("Precision fp32", "dtype", "fp32"),
        ("gpu NVIDIA H100 SXM", "gpu", "NVIDIA H100 SXM"),
    ],
)
def test_that_a_name_or_label_with_a_value_sets_a_parameter(query: str, name: str, value: object) -> None:
    assert set_on(TOPIC, query) == {name: value}
    assert set_on(SECOND, query) == {name: value}, "other pages have it too"


@pytest.mark.parametrize(
    "query", ["序列长度 2048", "序列长度2048", "序列 2048", "长度 N＝2048", "Sequence length 2048"]
)
def test_that_labels_of_both_languages_are_names(query: str) -> None:
    flash = topic("flash-attention")
    found = assignments(query, [flash], lambda topic: topic.params())
    assert [(each.spec.name, each.value) for each in found] == [("seq_len", 2048)]


def test_that_the_other_parameters_stay() -> None:
    found = assignments("seq_len 64", [TOPIC], lambda topic: ToyParams(heads=8))
    assert found[0].params == ToyParams(heads=8, seq_len=64)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("seq_len 0", "seq_len = 0 cannot be used: it must lie between 1 and 65,536 tokens."),
        ("seq_len=many", "seq_len = many cannot be used: it must be a whole number between 1 and 65536 tokens."),
        ("kv_heads 3", "kv_heads = 3 does not divide heads = 4."),
        ("dtype int3", "dtype = int3 is not a choice: use one of fp32, fp16, bf16."),
    ],
)
def test_that_a_value_that_cannot_be_used_is_one_sentence(query: str, problem: str) -> None:
    [assignment] = typed(query)
    assert assignment.topic is TOPIC
    assert assignment.params is None
    assert str(assignment.problem).replace(",", "") == problem.replace(",", "")


def test_that_what_the_page_in_view_refuses_is_not_set_on_another_page() -> None:
    found = assignments("kv_heads 3", TOPICS, lambda topic: ToyParams(heads=3 if topic is SECOND else 4, kv_heads=1))
    assert [(each.topic.id, each.params is None) for each in found] == [("toy", True)]


def test_that_a_beginning_offers_all_choices_that_begin_so() -> None:
    assert [each.value for each in typed("dtype ") if each.topic is TOPIC] == ["fp32", "fp16", "bf16"]
    assert [each.value for each in typed("gpu nvidia") if each.topic is TOPIC] == [
        "NVIDIA A100 40GB",
        "NVIDIA H100 SXM",
    ]


@pytest.mark.parametrize("query", ["", "seq_len", "seq_len=", "why 5", "length of the prompt", "heads or tails", "5"])
def test_that_a_search_sets_nothing(query: str) -> None:
    assert typed(query) == []


def test_that_a_text_is_set_only_where_that_is_meant() -> None:
    lab = topic("kernel-lab")

    def values(query: str) -> list[object]:
        return [each.value for each in assignments(query, [lab], lambda topic: topic.params())]

    assert values("file my/kernel.py") == ["my/kernel.py"]
    assert values("function=main") == ["main"]
    assert values("file format") == values("function of time") == []


def test_that_the_name_before_an_equals_sign_is_known() -> None:
    assert (name_in("rank = 3"), name_in("rank＝3"), name_in("rank 3")) == ("rank", "rank", "")


@given(st.text(max_size=60))
def test_that_no_query_is_an_error(query: str) -> None:
    for each in typed(query):
        assert (each.params is None) == (each.problem is not None)
