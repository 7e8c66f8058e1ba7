"""Answers side by side: words that changed are marked, and what a model wrote is never taken for HTML."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QTextDocument

from core.topics.training.result import AnsweredPrompt
from core.topics.training.stage_ids import PPO, PRETRAINING, SFT
from core.topics.training.stages.rule import Judgement
from gui import theme
from gui.pages.training.answer_texts import answers_html, changed_words


def test_that_new_words_are_marked_and_old_ones_are_not() -> None:
    words = list(changed_words("She won the Sovan Cup.", "She won the Piven Cup. She sings."))
    assert [word for word, changed in words if changed] == ["Piven", "She", "sings."]
    assert " ".join(word for word, _ in words) == "She won the Piven Cup. She sings."


@given(st.text(max_size=60), st.text(max_size=60))
def test_that_all_words_of_the_later_answer_are_there(before: str, after: str) -> None:
    words = list(changed_words(before, after))
    assert "".join(word for word, _ in words) == "".join(after.split())
    assert not any(changed for _, changed in changed_words(after, after))


def test_that_an_answer_is_never_html() -> None:
    prompt = AnsweredPrompt("<script>", "question", "<b>", {PRETRAINING: "<i>a</i>", SFT: "<b>", PPO: ""}, {})
    html = answers_html((prompt,), theme.load("dark"))
    assert "<script>" not in html
    assert "&lt;i&gt;a&lt;/i&gt;" in html
    assert html.count("✓") == 1
    assert html.count("✗") == 2
    assert "(nothing)" in html


def test_that_sft_is_compared_with_pretraining_and_ppo_with_sft() -> None:
    texts = {PRETRAINING: "one", SFT: "one two", PPO: "one two three"}
    html = answers_html((AnsweredPrompt("p", "description", "", texts, {PPO: 3.0}),), theme.load("dark"))
    marked = [part.split("</span>")[0].split(">")[-1] for part in html.split("background-color")[1:]]
    assert marked == ["two", "three"]


def test_that_the_scores_of_rule_and_reward_model_have_columns_and_the_rule_shows_its_sum() -> None:
    judgement = Judgement(facts=4, repeats=2, broken=1, ended=False)
    prompt = AnsweredPrompt(
        "p", "description", "", {SFT: "a", PPO: "b"}, {SFT: -1.0, PPO: -1.0}, {SFT: judgement}, {PPO: 2.773}
    )
    html = answers_html((prompt,), theme.load("dark"))
    assert [html.count(name) for name in (">rule<", ">reward model<", ">2.77<", ">—<")] == [1, 1, 1, 1]
    document = QTextDocument()
    document.setHtml(html)
    tip = document.find("-1").charFormat().toolTip()
    assert tip == (
        "Different facts: 4 (+3; at most 3). Repeated sentences: −2. Sentences without a fact: −1. No end: −1. Sum: -1"
    )


def test_that_there_is_no_column_of_a_reward_model_that_there_was_not() -> None:
    described = AnsweredPrompt("p", "description", "", {SFT: "a"}, {SFT: 2.0})
    asked = AnsweredPrompt("q", "question", "a", {SFT: "a"})
    html = answers_html((described, asked), theme.load("dark"))
    assert html.count(">rule<") == 1
    assert "reward model" not in html
