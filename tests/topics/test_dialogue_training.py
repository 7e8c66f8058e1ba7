"""The parts of the dialogue experiment against slower ways to compute the same."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from core.chat.families import FAMILIES, family, family_tokenizer
from core.chat.targets import IGNORED
from core.language_model.model import build_model
from core.language_model.world import build_world
from core.topics.dialogue.examples import Encoder, Example, per_turn
from core.topics.dialogue.experiment.batches import one_per_row, packed
from core.topics.dialogue.experiment.evaluation import evaluate, logits_of, target_losses
from core.topics.dialogue.experiment.gradients import equality
from core.topics.dialogue.experiment.position_model import RELATIVE, SCHEMES, position_model
from core.topics.dialogue.experiment.setting import with_vocabulary
from core.topics.dialogue.experiment.speaking import continued
from core.topics.dialogue.experiment.token_losses import spread, token_losses
from core.topics.dialogue.experiment.training import rows_loss
from core.topics.dialogue.world_conversations import TRAINING, world_conversations
from tests.topics.dialogue_runs import TINY

TURNS = 3
TALKS = world_conversations(build_world(0, 16), 6, TURNS, 0, TRAINING)


@cache
def encoder(name: str = "tilescope") -> Encoder:
    return Encoder(family(name), family_tokenizer(name))


@cache
def examples(name: str = "tilescope") -> tuple[Example, ...]:
    return tuple(encoder(name).example(talk.conversation).trimmed for talk in TALKS)


@cache
def tiny() -> Any:
    """An untrained model whose logits depend on what it reads."""
    model = build_model(TINY)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
    return model


def losses_of(rows: Any) -> torch.Tensor:
    return target_losses(logits_of(tiny(), rows), rows)


@pytest.mark.parametrize("name", FAMILIES)
def test_that_each_turn_has_its_answer_and_its_end_as_targets(name: str) -> None:
    for talk, example in zip(TALKS, examples(name), strict=True):
        for turn, answer in enumerate(talk.answers):
            learned = example.ids[example.turns == turn]
            text = encoder(name).tokenizer.tokenizer.decode(learned.tolist(), skip_special_tokens=True)
            assert text.strip() == answer
        assert (example.labels != IGNORED).tolist() == (example.turns >= 0).tolist()
    assert encoder(name).end_token(examples(name)[0]) in {
        encoder(name).tokenizer.id_of(token) for token in FAMILIES[name].end_of_turn
    }


@pytest.mark.parametrize("name", FAMILIES)
def test_that_a_prompt_is_what_stands_before_the_answer(name: str) -> None:
    whole = examples(name)[0]
    for turn in range(TURNS):
        prompt = encoder(name).prompt(TALKS[0].conversation.messages[: 2 * turn + 1])
        begin = int(np.flatnonzero(whole.turns == turn)[0])
        assert whole.ids[:begin].tolist() == prompt.tolist()


def test_that_what_opens_a_users_turn_is_found_in_every_family() -> None:
    assert encoder("tilescope").opening("user") == "<user>"
    assert encoder("chatml").opening("user") == "<|im_start|>user\n"
    # What opens a user's turn in ChatGLM ends the assistant's.
    assert {name for name in FAMILIES if not encoder(name).opening("user").strip()} == {"chatglm"}


def test_that_examples_of_turns_are_prefixes_with_one_target_turn() -> None:
    whole = examples()[0]
    parts = per_turn(whole)

    assert len(parts) == TURNS
    for turn, part in enumerate(parts):
        assert part.ids.tolist() == whole.ids[: len(part)].tolist()
        assert set(part.turns[part.labels != IGNORED].tolist()) == {turn}
    assert sum(part.targets for part in parts) == whole.targets


def test_that_packed_conversations_do_not_see_each_other() -> None:
    chosen = examples()[:3]
    rows, packing = packed(chosen, sum(map(len, chosen)))
    leaking, _ = packed(chosen, sum(map(len, chosen)), document_mask=False, positions_reset=False)
    losses, leaked = losses_of(rows), losses_of(leaking)

    assert packing.rows == 1
    for piece, document in enumerate(packing.document):
        begin, example = int(packing.offset[piece]), chosen[document]
        alone = losses_of(one_per_row([example]))[0]
        inside = slice(begin, begin + len(example))
        assert torch.allclose(losses[0, inside], alone, atol=1e-4)
        assert torch.allclose(leaked[0, inside], alone, atol=1e-4) == (begin == 0)
        # No loss crosses from the end of one conversation into the next.
        assert rows.labels[0, begin] == IGNORED


def test_that_padding_changes_nothing() -> None:
    rows = one_per_row(examples()[:3])
    together = losses_of(rows)
    for row, example in enumerate(examples()[:3]):
        alone = losses_of(one_per_row([example]))[0]
        assert torch.allclose(together[row, : len(example)], alone, atol=1e-4)
        assert not together[row, len(example) :].any()
    assert rows.tokens == sum(map(len, examples()[:3]))


def test_that_an_answer_counts_as_right_where_greedy_generation_gives_it() -> None:
    """The model learns three conversations by heart, so that some answers are right and some are not."""
    model = with_vocabulary(tiny(), encoder().vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-2)
    for _ in range(40):
        rows = one_per_row(examples()[:3])
        loss = rows_loss(model(**rows.inputs()).logits, rows.labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    generated = np.zeros(TURNS)
    for talk, example in zip(TALKS, examples(), strict=True):
        for turn in range(TURNS):
            expected = example.ids[example.turns == turn].tolist()
            prompt = encoder().prompt(talk.conversation.messages[: 2 * turn + 1])
            generated[turn] += continued(model, [prompt], len(expected))[0] == expected
    correct = evaluate(model, examples(), TURNS).correct
    assert np.allclose(correct, generated / len(examples()))
    assert 0 < correct.mean() < 1


def test_that_generation_with_padding_is_that_of_each_prompt_alone() -> None:
    prompts = [example.ids[:length] for example, length in zip(examples(), (9, 14, 30), strict=False)]
    together = continued(tiny(), prompts, 6)
    for prompt, tokens in zip(prompts, together, strict=True):
        assert continued(tiny(), [prompt], 6)[0] == tokens
    # The same without a cache: the whole text is read again for every token.
    ids = prompts[0].tolist()
    for token in together[0]:
        assert int(tiny()(input_ids=torch.tensor([ids])).logits[0, -1].argmax()) == token
        ids.append(token)


def test_that_a_document_mask_hides_the_neighbour_during_generation() -> None:
    first, second = examples()[0].ids[:20], examples()[1].ids[:12]
    joined, segments = np.concatenate((first, second)), np.repeat((0, 1), (20, 12))

    assert continued(tiny(), [joined], 5, [segments]) == continued(tiny(), [second], 5)
    assert continued(tiny(), [joined], 5) != continued(tiny(), [second], 5)


def test_that_gradients_of_one_pass_are_those_of_one_example_per_turn() -> None:
    found = equality(tiny(), examples()[:3], 400)

    assert found.float64.max() < 1e-12
    assert found.packed.max() < 1e-12
    assert found.float32.max() < 1e-4
    assert found.unmatched.max() > 1e-3
    assert found.turns == 9
    assert found.one_pass_tokens == sum(map(len, examples()[:3]))
    assert found.per_turn_tokens == sum(len(part) for example in examples()[:3] for part in per_turn(example))
    assert len(found.names) == len(found.float64) == len(list(tiny().named_parameters()))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_that_only_absolute_positions_need_to_be_reset(scheme: str) -> None:
    model = position_model(scheme, encoder().vocabulary, seed=0).double()
    chosen = examples()[:2]
    reset, _ = packed(chosen, 200)
    kept, _ = packed(chosen, 200, positions_reset=False)
    with torch.no_grad():
        difference = float((model(**reset.inputs()) - model(**kept.inputs())).abs().max())

    assert (difference < 1e-10) == (scheme in RELATIVE)


def test_that_new_tokens_get_embeddings_of_their_own_and_old_ones_stay() -> None:
    grown = with_vocabulary(tiny(), 1030)
    old, new = tiny().get_input_embeddings().weight, grown.get_input_embeddings().weight

    assert new.shape[0] == grown.config.vocab_size == 1030
    assert torch.equal(new[:1024], old)
    assert len(torch.unique(new[1024:], dim=0)) == 6
    assert torch.equal(with_vocabulary(tiny(), 1030).get_input_embeddings().weight, new)
    assert grown.lm_head.weight is new


def test_that_token_losses_are_those_of_cross_entropy_up_to_the_context() -> None:
    ids = examples()[0].ids
    losses = token_losses(tiny(), ids, context=12)
    with torch.no_grad():
        logits = tiny()(input_ids=torch.from_numpy(ids[:12])[None]).logits[0].log_softmax(dim=-1)

    assert np.isnan(losses[0])
    assert np.isnan(losses[12:]).all()
    expected = [-float(logits[place - 1, ids[place]]) for place in range(1, 12)]
    assert np.allclose(losses[1:12], expected, atol=1e-5)


def test_that_losses_are_spread_over_the_characters_of_other_tokens() -> None:
    text = "Ada Bolow lives in Sizport."
    small = encoder().tokenizer.encode(text)
    losses = np.arange(len(small), dtype=np.float32)
    assert np.allclose(spread(losses, small, small), losses)

    byte = family_tokenizer("chatml").encode(text)
    losses[0] = np.nan
    assert np.isnan(spread(losses, small, byte)[0])
    assert np.nansum(spread(losses, small, byte)) == pytest.approx(np.nansum(losses), rel=1e-5)
