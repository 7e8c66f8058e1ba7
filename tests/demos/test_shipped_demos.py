"""The demos that come with the program: valid for the pages of this version, and complete in every language."""

from __future__ import annotations

import re
from collections.abc import Collection

import pytest

from core import language
from core.contracts.registry import TOPICS
from core.demos import Demo, Step, find_demo, shipped_demos, shipped_titles
from core.demos.code import runs_foreign_code
from core.demos.pictures import NAMEABLE
from core.topics.training.stage_ids import STAGES
from tests.chinese_setting import wrongly_set
from tests.latin_names import english_words
from tests.page_declarations import cards_of, kinds_of
from tests.test_documents import rejected_words

WHOLE_STORY = "three-minutes"


@pytest.fixture(scope="module")
def demos() -> dict[str, Demo]:
    return {name: find_demo(name) for name in shipped_demos()}


def captions(demos: dict[str, Demo]) -> list[tuple[str, str, str]]:
    """Demo, English text and Chinese text of every title and caption."""
    written = [(name, each) for name, demo in demos.items() for each in (demo.title, *(s.caption for s in demo.steps))]
    return [(name, each.in_language("en"), each.in_language("zh")) for name, each in written]


def test_that_what_a_step_can_name_is_what_the_pages_declare() -> None:
    assert set(NAMEABLE) == set(TOPICS)
    for page, nameable in NAMEABLE.items():
        assert set(nameable.cards) == cards_of(page), page
        assert set(nameable.kinds) == kinds_of(page) | {"function", "line"}, page


def test_that_every_page_has_a_demo_of_its_own_and_one_tells_the_whole_story(demos: dict[str, Demo]) -> None:
    assert set(demos) == {*TOPICS, WHOLE_STORY}
    for page in TOPICS:
        assert {step.place.page for step in demos[page].steps} == {page}
    assert {step.place.page for step in demos[WHOLE_STORY].steps} == set(TOPICS)
    assert 150 <= demos[WHOLE_STORY].seconds <= 200


def test_that_the_titles_in_the_menu_are_those_of_the_demos(demos: dict[str, Demo]) -> None:
    assert shipped_titles() == {name: demo.title for name, demo in demos.items()}
    assert next(iter(shipped_titles())) == WHOLE_STORY


def test_that_every_text_is_there_in_every_language(demos: dict[str, Demo]) -> None:
    others = set(language.LANGUAGES) - {language.ENGLISH}
    for demo in demos.values():
        for written in (demo.title, *(step.caption for step in demo.steps)):
            assert {code for code, _ in written.others} == others, (demo.name, written.message)


def test_that_no_step_sets_a_parameter_to_its_default_or_runs_a_file_of_someone_else(demos: dict[str, Demo]) -> None:
    for demo in demos.values():
        for step in demo.steps:
            defaults = step.place.topic.params()
            assert all(getattr(defaults, name) != value for name, value in step.place.set.items()), demo.name
            assert not runs_foreign_code(step.place)


def test_that_there_is_time_to_read_a_caption(demos: dict[str, Demo]) -> None:
    """About 20 letters, or 9 Chinese characters, per second."""
    for demo in demos.values():
        for step in demo.steps:
            assert len(step.caption.in_language("en")) <= 20 * step.seconds, (demo.name, step.caption.message)
            assert len(step.caption.in_language("zh")) <= 9 * step.seconds, (demo.name, step.caption.message)


def test_that_captions_are_sentences(demos: dict[str, Demo]) -> None:
    for demo in demos.values():
        for step in demo.steps:
            assert re.search(r"[.?!]$", step.caption.in_language("en")), step.caption.message
            assert re.search(r"[。？！]$", step.caption.in_language("zh")), step.caption.message


def test_that_chinese_texts_follow_the_glossary(demos: dict[str, Demo]) -> None:
    words = rejected_words()
    for name, _, chinese in captions(demos):
        assert [word for word in words if word in chinese] == [], (name, chinese)
        assert wrongly_set(chinese) == [], (name, chinese)
        assert english_words(chinese) == [], (name, chinese)


def test_that_both_languages_state_the_same_numbers(demos: dict[str, Demo]) -> None:
    number = re.compile(r"(?<![A-Za-z\d-])\d+(?:[.,]\d+)*")
    for name, english, chinese in captions(demos):
        assert set(number.findall(english)) == set(number.findall(chinese)), (name, english)


def selectable(step: Step, kind: str) -> Collection[int | str]:
    """What can be selected with the parameters of the step."""
    plan, params = step.place.topic.plan(step.place.params), step.place.params
    match step.place.page, kind:
        case "flash-attention", "step":
            return range(len(plan.schedule))
        case "flash-attention", "tensor":
            return {"Q", "K", "V", "S", "P", "O", "LSE"}
        case "decoder", "target_token":
            return range(len(plan.inputs.target))
        case "lora", "matrix":
            return range(len(plan.matrices))
        case "lora", "step":
            return range(1, params.steps + 1)
        case "kernel-lab", "launch":
            return range(2 if step.place.set["file"].endswith("uncoalesced.py") else 1)
        case "training", "stage":
            return STAGES
    raise AssertionError(f"say here what {kind} can be on the page {step.place.page}")


def test_that_what_a_step_selects_exists(demos: dict[str, Demo]) -> None:
    for demo in demos.values():
        for step in demo.steps:
            for kind, value in step.place.select.items():
                assert value in selectable(step, kind), (demo.name, kind, value)
