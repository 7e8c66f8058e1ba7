"""Runs of the dialogue experiment: live, complete, cheap to repeat, and with what can go wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.chat.families import family, family_tokenizer
from core.contracts import archive
from core.contracts.claims import Verdict
from core.contracts.errors import InvalidParams
from core.contracts.events import Partial, Progress
from core.language_model.adapters import NonFiniteLoss
from core.topics.dialogue import TOPIC
from core.topics.dialogue.choices import FORGET_DOCUMENT_MASK, ONE_PASS, PER_TURN, SABOTAGES, TRAINING_WAYS
from core.topics.dialogue.example import EXAMPLE_CONVERSATION
from core.topics.dialogue.experiment import board as boards
from core.topics.dialogue.experiment import training, trainings
from core.topics.dialogue.plan import plan
from core.topics.dialogue.result import DialogueResult
from tests.questions.asked import asked_metrics
from tests.topics.dialogue_runs import Events, finished, messages, quick, tiny_world

__all__ = ["tiny_world"]
pytestmark = pytest.mark.usefixtures("tiny_world")
SOUND = '{"messages": [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hi."}]}'
UNANSWERED = '{"messages": [{"role": "user", "content": "Hello?"}]}'


def test_that_a_run_measures_all_that_it_promises_and_shows_it_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boards, "PARTIAL_EVERY_S", 0.0)
    params = quick()
    result, events = finished(params)

    assert {run.way for run in result.ways} == set(TRAINING_WAYS)
    assert all(run.finished and run.curve.steps == run.steps for run in result.ways)
    assert all(len(run.curve.grad_norm) == len(run.curve.mean_token_accuracy) == run.steps for run in result.ways)
    assert tuple(run.mistake for run in result.sabotages) == SABOTAGES
    assert all(run.finished and run.behaviour is not None for run in result.sabotages)
    assert result.equality is not None
    assert result.history is not None
    assert result.behaviour is not None
    assert result.behaviour.generations == 4
    assert any(document.foreign for document in result.leaks)
    assert len(result.leaked_answers) == 3
    assert len(result.schemes) == 6
    assert result.template == "tilescope"
    shown, rendered = result.shown, plan(params).rendered
    assert shown is not None
    assert rendered is not None
    assert shown.text == rendered.text
    assert np.isnan(shown.before[0])
    assert np.isfinite(shown.before[1:]).all()
    assert not np.array_equal(shown.before[1:], shown.after[1:])
    _is_live(events)
    judged = {claim.id: claim.test(result).verdict for claim in TOPIC.claims}
    assert Verdict.NOT_TESTED not in judged.values()
    assert len({metric for metric in result.metrics if metric.startswith("one_pass.")}) >= 10
    assert asked_metrics("dialogue") <= result.metrics.keys()


def _is_live(events: Events) -> None:
    done = [event.done / event.total for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    assert done[-1] < 1
    results = [event.result for event in events if isinstance(event, Partial)]
    assert all(isinstance(result, DialogueResult) for result in results)
    steps = [sum(run.curve.steps for run in result.ways) for result in results]
    assert steps == sorted(steps)
    assert len(set(steps)) > 3


def test_that_a_result_survives_its_archive() -> None:
    result, _ = finished(quick(experiments="packing"))

    again = DialogueResult.from_bytes(result.to_bytes())
    assert again.examined is not None
    assert result.examined is not None
    assert again.examined.findings == result.examined.findings
    assert archive.plain(again.schemes) == archive.plain(result.schemes)


def test_that_the_sound_training_is_the_same_in_every_choice_of_experiments() -> None:
    ways, _ = finished(quick(experiments="ways"))
    mistakes, _ = finished(quick(experiments="sabotage", sabotage=FORGET_DOCUMENT_MASK))

    assert [run.way for run in mistakes.ways] == [ONE_PASS]
    assert [run.mistake for run in mistakes.sabotages] == [FORGET_DOCUMENT_MASK]
    one, other = ways.way(ONE_PASS), mistakes.way(ONE_PASS)
    assert one is not None
    assert other is not None
    assert one.curve.loss.tolist() == other.curve.loss.tolist()
    assert not ways.schemes
    assert mistakes.equality is None


def test_that_one_example_per_turn_goes_on_until_it_has_computed_as_many_tokens() -> None:
    result, _ = finished(quick(experiments="ways", steps=12))
    split, whole = result.way(PER_TURN), result.way(ONE_PASS)

    assert split is not None
    assert whole is not None
    assert split.steps > whole.steps
    assert split.curve.num_tokens[-1] == pytest.approx(whole.curve.num_tokens[-1], rel=0.15)


def test_that_another_conversation_needs_no_new_training(monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = finished(quick())

    def refuse(*_: object) -> Iterator[int]:
        raise AssertionError("this trains again")

    monkeypatch.setattr(training.Training, "run", refuse)
    other = EXAMPLE_CONVERSATION.without(0)
    params = quick(conversation=json.dumps(other.as_dict()))
    second, _ = finished(params)
    assert params.needs_same_run_as(first.params)
    assert second.shown is not None
    assert first.shown is not None
    assert second.shown.text != first.shown.text
    assert np.isfinite(second.shown.after[1:]).all()
    assert second.value("one_pass.loss") == first.value("one_pass.loss")
    assert not quick(steps=5).needs_same_run_as(first.params)
    assert not quick(template="chatml").needs_same_run_as(first.params)
    assert quick(experiments="ways").needs_same_run_as(first.params)


def test_that_a_data_file_is_examined_and_nothing_is_trained(tmp_path: Path) -> None:
    file = tmp_path / "talks.jsonl"
    file.write_text("\n".join([SOUND, UNANSWERED, "{", SOUND]))
    result, events = finished(quick(data=str(file)))

    found = result.examined
    assert found is not None
    assert (found.conversations, found.ill, found.broken) == (3, 1, 1)
    assert [row.line for row in found.ill_rows] == [2]
    assert "no-target" in found.ill_rows[0].failures
    assert [line.line for line in found.broken_lines] == [3]
    assert found.is_ill
    assert found.finished
    assert found.lengths.shape == found.targets.shape == (3,)
    assert not result.ways
    assert result.shown is None
    assert any("1 line of the data file is no conversation" in text for text in messages(result))
    assert any(isinstance(event, Partial) for event in events)


def test_that_a_file_that_is_missing_is_refused() -> None:
    with pytest.raises(InvalidParams) as refused:
        finished(quick(data="/nowhere/talks.jsonl"))
    assert refused.value.field == "data"


def test_that_a_template_that_marks_nothing_stops_the_experiments_and_not_the_doctor() -> None:
    silent = "{% for message in messages %}{% if message.role == 'user' %}{{ message.content }}{% endif %}{% endfor %}"
    result, _ = finished(quick(template="pasted", jinja=silent))

    assert result.examined is not None
    assert result.examined.is_ill
    assert not result.ways
    assert any("cannot train with this template" in text for text in messages(result))


def test_that_a_template_too_long_for_the_small_model_is_told() -> None:
    answers = "{% for message in messages %}{% generation %}{{ message.content }}{% endgeneration %}{% endfor %}"
    long = "{{ 'word ' * 900 }}" + answers
    result, _ = finished(quick(template="pasted", jinja=long))

    assert any("and the small model reads 400" in text for text in messages(result))


def test_that_a_loss_that_is_nan_stops_its_training_and_not_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def poisoned(setting: object, chosen: object) -> object:
        raise NonFiniteLoss(3, math.nan)

    monkeypatch.setitem(trainings._MISTAKES, FORGET_DOCUMENT_MASK, poisoned)
    result, _ = finished(quick(experiments="sabotage"))
    ill = result.sabotage(FORGET_DOCUMENT_MASK)
    assert ill is not None
    assert not ill.finished
    assert ill.behaviour is None
    assert sum(run.finished for run in result.sabotages) == 2
    assert any("stopped: The loss of step 3 is NaN" in text for text in messages(result))


@pytest.mark.parametrize("template", ["chatglm", "gemma"])
def test_that_families_with_other_ends_of_turns_can_be_trained_with(template: str) -> None:
    result, _ = finished(quick(template=template, experiments="sabotage"))

    assert all(run.finished for run in result.sabotages)
    assert result.behaviour is not None
    # ChatGLM ends a turn with what opens the next one, so speaking for the user cannot be told from stopping.
    assert np.isnan(result.behaviour.speaks_for_user) == (template == "chatglm")
    assert not messages(result)


def test_that_several_seeds_give_means_with_their_spread() -> None:
    result, _ = finished(quick(experiments="ways", seeds=2, seed=3))

    assert [run.seed for run in result.ways] == [3] * 3 + [4] * 3
    assert "mean of 2 seeds" in str(result.metrics["one_pass.eval_loss"].note)
    losses = {run.seed: run.curve.loss.tolist() for run in result.ways if run.way == ONE_PASS}
    assert losses[3] != losses[4]
    later, _ = finished(quick(experiments="ways", seed=4))
    again = later.way(ONE_PASS)
    assert again is not None
    assert again.curve.loss.tolist() == losses[4]


def test_that_a_data_file_can_be_examined_and_experiments_run(tmp_path: Path) -> None:
    file = tmp_path / "talks.jsonl"
    file.write_text(SOUND)
    result, _ = finished(quick(data=str(file), experiments="packing"))

    assert result.examined is not None
    assert result.examined.conversations == 1
    assert result.schemes
    assert result.shown is not None


def test_that_a_tokenizer_folder_is_trained_with_its_own_tokens_and_its_losses_are_spread(tmp_path: Path) -> None:
    family_tokenizer("chatml").tokenizer.save(str(tmp_path / "tokenizer.json"))
    contents = json.loads((tmp_path / "tokenizer.json").read_text())
    contents["model"]["merges"] = contents["model"]["merges"][:100]
    (tmp_path / "tokenizer.json").write_text(json.dumps(contents))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<|im_end|>"}))
    (tmp_path / "chat_template.jinja").write_text(family("chatml").source)
    params = quick(tokenizer=str(tmp_path), experiments="sabotage", sabotage="drop_mask")
    planned = plan(params)
    result, _ = finished(params)

    assert planned.rows is not None
    assert result.shown is not None
    assert result.shown.is_spread
    assert result.shown.before.shape == result.shown.after.shape == (len(planned.rows),)
    assert np.isfinite(result.shown.after[-2:]).all()
    assert result.sabotages[0].finished
