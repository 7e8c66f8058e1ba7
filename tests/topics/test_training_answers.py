"""Questions, forms, the rule for what people like, and the examples of SFT."""

from __future__ import annotations

import numpy as np
import pytest

from core.contracts.errors import InvalidParams
from core.language_model.text import documents, sentence
from core.language_model.world import build_world
from core.topics.training.stages.answers import REFUSAL, Form, Reader, expected_answer, has_form, question
from core.topics.training.stages.batches import epoch_batch
from core.topics.training.stages.configs import DpoConfig, GrpoConfig, PairsConfig, PpoConfig, RewardConfig, SftConfig
from core.topics.training.stages.instructions import instruction_data
from core.topics.training.stages.rule import judge

WORLD = build_world(0)
READER = Reader(WORLD)
FACTS = WORLD.stated_of[WORLD.people[0].name]
PERSON = WORLD.people[0]


def said(*sentences: str, ended: bool = True) -> float:
    return judge(READER, " ".join(sentences), PERSON, ended).score


def test_that_every_phrasing_of_every_fact_is_read_as_that_fact() -> None:
    for fact in WORLD.facts:
        for phrasing in range(len(fact.relation.phrasings)):
            (read,) = READER.statements(sentence(fact, phrasing), fact.person)
            assert (read.relation, read.value) == (fact.relation, fact.value)
            assert READER.is_true(read, fact.person)


def test_that_a_pronoun_or_possessive_counts_as_the_asked_person_and_another_name_does_not() -> None:
    first, second = FACTS[:2]
    texts = [
        second.relation.phrasings[i].format(s=PERSON.pronoun, p=PERSON.possessive, v=second.value) for i in range(5)
    ]
    for text in texts:
        assert said(sentence(first), text[0].upper() + text[1:]) == 2
    other = next(fact for fact in WORLD.facts if fact.person is not PERSON)
    assert judge(READER, sentence(other), PERSON, True).broken == 1


def test_that_the_rule_likes_up_to_three_facts_and_neither_repeats_nor_nonsense_nor_an_open_end() -> None:
    sentences = [sentence(fact) for fact in FACTS[:5]]
    assert [said(*sentences[:count]) for count in range(1, 6)] == [1, 2, 3, 3, 3]
    assert said(sentences[0], sentences[0]) == 0
    assert said(sentences[0], sentence(FACTS[0], 1)) == 1
    assert said(*sentences[:3], "He is is a.") == 2
    assert said(*sentences[:3], ended=False) == 2
    assert said(*sentences[:3], "He lives", ended=False) == 1
    assert said("") == 0


def test_that_the_rule_does_not_check_whether_a_fact_is_true() -> None:
    fact = FACTS[0]
    wrong = next(value for value in WORLD.values[fact.relation.label] if value != fact.value)
    text = sentence(fact).replace(fact.value, wrong)
    assert said(text) == 1
    assert not READER.is_true(READER.statements(text, PERSON)[0], PERSON)
    assert said(sentence(fact).replace(fact.value, "no value of the world")) == -1


@pytest.mark.parametrize("form", Form)
def test_that_an_answer_has_its_form_whatever_value_it_names_and_no_other_form(form: Form) -> None:
    for fact in WORLD.facts[:40]:
        right = expected_answer(fact, form)
        assert has_form(right, fact, form)
        assert has_form(right.replace(fact.value, "Nowhere"), fact, form)
        assert not has_form(REFUSAL.rstrip("."), fact, form)
        assert not has_form(f"{right} {right}", fact, form)
        for other in Form:
            assert (other is form) or not has_form(expected_answer(fact, other), fact, form)


def test_that_held_out_facts_are_in_no_example_and_new_facts_in_no_pretraining_text() -> None:
    data = instruction_data(WORLD, SftConfig(new_facts=40))
    asked = {item.prompt for item in data.train}
    for item in data.known:
        assert item.fact is not None
        assert item.fact.stated
        assert item.fact not in {other.fact for other in data.train}
        assert not any(question(item.fact, wording, form) in asked for wording in (0, 1) for form in Form)
    told = " ".join(item.answer for item in data.train if item.fact is None)
    assert not any(sentence(item.fact, i) in told for item in data.known if item.fact for i in range(5))
    read = " ".join(text for _, text in zip(range(3000), documents(WORLD, 0), strict=False))
    new = [item.fact for item in data.new if item.fact]
    assert len(new) == 40
    assert not any(sentence(fact, i) in read for fact in new for i in range(5))
    assert all(item.prompt not in asked for item in data.new)
    assert all(fact in {item.fact for item in data.train} for fact in new)


def test_that_refusals_are_about_people_in_no_text_and_evaluation_asks_about_others() -> None:
    data = instruction_data(WORLD, SftConfig())
    names = {person.name for person in WORLD.people}
    refused = {item.person.name for item in data.train if item.answer == REFUSAL}
    assert refused
    assert not refused & names
    assert not {item.person.name for item in data.unknown} & names
    people = [{item.person.name for item in prompts} for prompts in (data.prompts_train, data.prompts_held_out)]
    assert not people[0] & people[1]
    assert people[0] | people[1] == names


def test_that_seed_and_world_determine_the_examples() -> None:
    assert instruction_data(WORLD, SftConfig()) == instruction_data(build_world(0), SftConfig())
    assert instruction_data(WORLD, SftConfig()) != instruction_data(WORLD, SftConfig(seed=1))


def test_that_an_epoch_reads_every_example_once_in_an_order_of_its_own() -> None:
    examples = list(range(10))
    read = [value for step in range(1, 11) for value in epoch_batch(examples, 3, step, seed=0)]
    epochs = [read[i : i + 10] for i in range(0, 30, 10)]
    assert all(sorted(epoch) == examples for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert epoch_batch(examples, 3, 5, seed=0) == epoch_batch(examples, 3, 5, seed=0)


@pytest.mark.parametrize("config", [SftConfig, RewardConfig, DpoConfig, PpoConfig, GrpoConfig])
def test_that_settings_that_train_nothing_are_refused_in_one_sentence(config: type) -> None:
    with pytest.raises(InvalidParams, match=r"^0 steps train nothing: use 1 step or more\.$"):
        config(steps=0)
    with pytest.raises(InvalidParams, match="learning rate"):
        config(learning_rate=float("nan"))
    with pytest.raises(InvalidParams, match="batch"):
        config(batch=0)
    rates = np.array([config(steps=50).rate(step) for step in range(1, 51)])
    assert rates.max() == config().learning_rate
    assert rates.min() > 0


def test_that_pairs_and_groups_that_cannot_be_are_refused() -> None:
    with pytest.raises(InvalidParams, match="Label noise of 60%"):
        PairsConfig(label_noise=0.6)
    with pytest.raises(InvalidParams, match="at least one pair"):
        PairsConfig(train=0)
    with pytest.raises(InvalidParams, match="cannot be split into groups of 5"):
        GrpoConfig(batch=32, group=5)
