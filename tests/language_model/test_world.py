from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contracts.errors import InvalidParams
from core.language_model.relations import RELATIONS, SPOUSE
from core.language_model.table_task import table_task
from core.language_model.text import completions, documents, questions, sentence
from core.language_model.world import build_world


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), people=st.integers(2, 60))
def test_that_everybody_has_one_fact_of_each_kind_and_a_spouse_who_says_the_same(seed: int, people: int) -> None:
    world = build_world(seed, people)

    assert len(world.people) == people + people % 2
    assert len({person.name.split()[0] for person in world.people}) == len(world.people)
    assert [fact.number for fact in world.facts] == list(range(len(RELATIONS) * len(world.people)))
    marriages = {fact.person.name: fact for fact in world.facts if fact.relation is SPOUSE}
    for name, fact in marriages.items():
        assert fact.value != name
        assert marriages[fact.value].value == name
        assert marriages[fact.value].stated == fact.stated


def test_that_a_world_follows_from_its_seed() -> None:
    assert build_world(3) == build_world(3)
    assert build_world(3).people != build_world(4).people


@pytest.mark.parametrize("people", [-1, 0, 1, 501])
def test_that_a_world_without_people_or_with_too_many_is_refused(people: int) -> None:
    with pytest.raises(InvalidParams, match="2 to 500"):
        build_world(0, people)


def test_that_texts_follow_from_their_seed() -> None:
    world = build_world(1, 10)
    assert list(islice(documents(world, 0), 50)) == list(islice(documents(world, 0), 50))
    assert list(islice(documents(world, 0), 50)) != list(islice(documents(world, 1), 50))


def test_that_texts_tell_every_fact_but_the_untold_and_none_in_its_kept_phrasing() -> None:
    world = build_world(2, 12)
    text = "\n".join(islice(documents(world, 0), 6000))

    assert world.unstated
    for fact in world.facts:
        ways = [sentence(fact, phrasing) for phrasing in range(len(fact.relation.phrasings))]
        phrasings = [phrasing for phrasing, way in enumerate(ways) if way in text]
        assert phrasings == ([way for way in range(len(ways)) if way != fact.held_out_phrasing] if fact.stated else [])


def test_that_a_completion_and_its_answer_are_a_sentence_that_no_text_holds() -> None:
    world = build_world(2, 12)
    for completion in completions(world):
        assert f"{completion.prompt} {completion.answer}." == sentence(
            completion.fact, completion.fact.held_out_phrasing
        )
        assert completion.fact.person.name in completion.prompt


def test_that_questions_name_the_person_and_never_the_answer() -> None:
    world = build_world(0, 6)
    prompts = questions(world)
    assert len(prompts) == sum(len(fact.relation.questions) for fact in world.facts)
    assert all(one.fact.person.name in one.prompt and one.answer not in one.prompt for one in prompts)


def test_that_a_row_says_person_kind_and_value_and_its_sentence_is_true() -> None:
    for example in table_task(build_world(0, 20)).train[:50]:
        assert example.row == f"{example.fact.person.name}, {example.fact.relation.label}, {example.fact.value}"
        assert example.fact.person.name in example.sentence
        assert example.fact.value in example.sentence


@pytest.mark.parametrize("people", [2, 20, 64])
def test_that_held_out_rows_are_of_people_and_facts_that_training_rows_are_not(people: int) -> None:
    world = build_world(5, people)
    task = table_task(world)
    trained_on = {example.fact.person.name for example in task.train}
    known = {person.name for person in world.people}

    assert task.unseen_people
    assert trained_on.isdisjoint(example.fact.person.name for example in task.unseen_people)
    assert {example.fact for example in task.unstated_facts} == set(world.unstated)
    assert not {example.row for example in task.train} & {example.row for example in task.unstated_facts}
    stated = [example.fact for example in (*task.train, *task.unseen_people) if example.fact.person.name in known]
    assert sorted(fact.number for fact in stated) == [fact.number for fact in world.stated]
    assert table_task(world) == task
