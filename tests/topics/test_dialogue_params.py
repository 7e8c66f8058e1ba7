"""Parameters of the dialogue page, the costs of the three ways to train, and the conversations that are trained on."""

from __future__ import annotations

import json

import numpy as np
import pytest

from core.chat.conversation import parse_conversation
from core.contracts.errors import InvalidParams
from core.language_model.world import build_world
from core.topics.dialogue.choices import LAST_TURN_WAY, ONE_PASS, PACKING, PER_TURN, SABOTAGES, WAYS
from core.topics.dialogue.example import EXAMPLE, EXAMPLE_CONVERSATION
from core.topics.dialogue.params import DialogueParams
from core.topics.dialogue.result import Curve
from core.topics.dialogue.ways import total_costs, turn_ends, way_costs
from core.topics.dialogue.world_conversations import HELD_OUT, TRAINING, world_conversations

WORLD = build_world(0, 16)


def test_that_the_first_conversation_is_valid() -> None:
    assert parse_conversation(json.loads(EXAMPLE)) == EXAMPLE_CONVERSATION


def test_that_switches_must_be_a_json_object() -> None:
    assert DialogueParams(switches='{"enable_thinking": false}').template_switches == {"enable_thinking": False}
    with pytest.raises(InvalidParams, match="The template switches are no JSON"):
        DialogueParams.parse({"switches": "{enable_thinking"})
    with pytest.raises(InvalidParams, match="must be a JSON object"):
        DialogueParams.parse({"switches": "[1]"})


def test_that_a_pasted_template_must_be_pasted() -> None:
    with pytest.raises(InvalidParams, match="The pasted template is empty") as refused:
        DialogueParams.parse({"template": "pasted"})
    assert refused.value.field == "jinja"


def test_that_a_data_file_is_examined_without_training_unless_asked() -> None:
    assert DialogueParams().mistakes == SABOTAGES
    assert not DialogueParams(data="lines.jsonl").trains
    assert DialogueParams(data="lines.jsonl", experiments="ways").runs(WAYS)
    assert not DialogueParams(experiments="ways").runs(PACKING)
    assert DialogueParams(sabotage="drop_mask").mistakes == ("drop_mask",)
    assert DialogueParams(experiments="none").mistakes == ()


def test_that_one_pass_computes_the_conversation_once_and_one_example_per_turn_each_prefix() -> None:
    #                 user      answer  user  answer user answer and a line break
    turns = np.array([-1, -1, 0, 0, -1, 1, -1, 2, 2, -1])

    assert turn_ends(turns) == [4, 6, 9]
    costs = {cost.way: cost for cost in way_costs(turns)}
    assert (costs[LAST_TURN_WAY].tokens, costs[LAST_TURN_WAY].targets) == (9, 2)
    assert (costs[PER_TURN].tokens, costs[PER_TURN].targets, costs[PER_TURN].examples) == (4 + 6 + 9, 5, 3)
    assert (costs[ONE_PASS].tokens, costs[ONE_PASS].targets) == (9, 5)
    assert costs[LAST_TURN_WAY].lost == 1 - 2 / 5
    assert costs[ONE_PASS].waste == 1 - 5 / 9


def test_that_costs_add_up_and_a_conversation_without_targets_costs_nothing() -> None:
    one = way_costs(np.array([-1, 0, 0]))
    none = way_costs(np.full(4, -1))

    total = total_costs([one, none, one])
    assert [(cost.tokens, cost.targets, cost.examples) for cost in total] == [(6, 4, 2)] * 3
    assert np.isnan([cost.waste for cost in none]).all()


@pytest.mark.parametrize("turns", [2, 5])
def test_that_conversations_are_determined_and_their_later_turns_name_nobody(turns: int) -> None:
    made = world_conversations(WORLD, 30, turns, seed=1, part=TRAINING)

    assert made == world_conversations(WORLD, 30, turns, seed=1, part=TRAINING)
    assert made[:5] != world_conversations(WORLD, 5, turns, seed=1, part=HELD_OUT)
    assert {item.on_card for item in made} == {True, False}
    for item in made:
        messages = item.conversation.messages
        person = item.facts[0].person
        assert [message.role for message in messages] == ["user", "assistant"] * turns
        assert person.name in messages[0].content
        for fact, question, answer in zip(item.facts, messages[::2], item.answers, strict=True):
            assert answer.endswith(f"{fact.value}.")
            assert all(value not in question.content for value in [fact.value] if question is not messages[0])
        assert all(person.name not in message.content for message in messages[2::2])
        # What a card does not say, the model must know; what it says is in the first question.
        assert all(fact.value in messages[0].content for fact in item.facts) == item.on_card


def test_that_a_curve_is_read_at_a_step_and_at_a_number_of_tokens() -> None:
    curve = Curve(
        loss=np.ones(4, dtype=np.float32),
        num_tokens=np.array([10, 20, 30, 40]),
        eval_step=np.array([0, 2, 4]),
        eval_correct=np.array([[0.0, 0.2], [0.5, 0.4], [1.0, 0.4]], dtype=np.float32),
    )

    assert curve.eval_tokens.tolist() == [0, 20, 40]
    assert np.allclose(curve.correct_after(3), [0.75, 0.4])
    assert np.allclose(curve.correct_at(10), [0.25, 0.3])
    assert np.allclose(curve.correct_at(1000), [1.0, 0.4])
    assert Curve().correct_at(5).size == 0
