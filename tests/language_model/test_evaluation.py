from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contracts.errors import InvalidParams
from core.language_model import windows as windows_module
from core.language_model.data import prompt_ids
from core.language_model.evaluation import completion_accuracy, exact_match, task_loss, windows_loss
from core.language_model.generation import BATCH_SIZE, context_length, generate, text_prompt
from core.language_model.small_model import SmallModel
from core.language_model.table_task import table_task
from core.language_model.text import completions
from core.language_model.windows import file_windows, held_out_windows


def slow_greedy(model: torch.nn.Module, prompt: list[int], new_tokens: int, end: int) -> list[int]:
    """The oracle: processes the whole text again for every token, without a cache and padding."""
    ids = list(prompt)
    for _ in range(new_tokens):
        with torch.no_grad():
            ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
        if ids[-1] == end:
            break
    return ids[len(prompt) :]


def test_that_prompts_of_all_lengths_are_continued_as_one_by_one_without_a_cache(tiny: SmallModel) -> None:
    # Large weights, so that no two tokens are equally likely within rounding.
    with torch.no_grad():
        tiny.model.model.embed_tokens.weight.mul_(20)
    prompts = [text_prompt(tiny.tokenizer, text) for text in ("A", "Ada Bolow lives in", "She", "Where does he work?")]
    expected = [slow_greedy(tiny.model, prompt, 9, tiny.tokenizer.eos_token_id) for prompt in prompts]

    texts = generate(tiny.model, tiny.tokenizer, prompts, 9)

    assert texts == [tiny.tokenizer.decode(ids, skip_special_tokens=True) for ids in expected]
    assert len(set(texts)) > 1


def test_that_more_prompts_than_a_batch_are_all_continued_and_ticked(trained: SmallModel) -> None:
    prompts = [[1, 20 + number % 200] for number in range(BATCH_SIZE + 3)]
    ticks: list[float] = []
    texts = generate(trained.model, trained.tokenizer, prompts, 2, lambda done, total, phase: ticks.append(done))
    assert len(texts) == len(prompts)
    assert texts[-1] == generate(trained.model, trained.tokenizer, prompts[-1:], 2)[0]
    assert ticks == sorted(ticks)
    assert ticks[-1] == len(prompts)


def test_that_a_tick_stops_generation_and_the_model_trains_on(tiny: SmallModel) -> None:
    def stop(done: float, total: float, phase: str) -> None:
        raise KeyError(phase)

    tiny.model.train()
    with pytest.raises(KeyError, match="generating"):
        generate(tiny.model, tiny.tokenizer, [[1]], 5, stop)
    assert tiny.model.training
    assert torch.is_grad_enabled()


def test_that_prompts_that_cannot_be_continued_are_refused(trained: SmallModel) -> None:
    context = context_length(trained.model)
    assert generate(trained.model, trained.tokenizer, []) == []
    for prompt in ([], [1] * context):
        with pytest.raises(InvalidParams, match=f"context of {context}"):
            generate(trained.model, trained.tokenizer, [prompt])
    assert generate(trained.model, trained.tokenizer, [[1] * (context - 1)], 50)


def test_that_the_loss_of_windows_is_the_mean_over_all_predicted_tokens(trained: SmallModel) -> None:
    parts = [torch.randint(0, 300, (length,)) for length in (65, 65, 2, 40)]
    model, negative = trained.model.double(), 0.0
    try:
        for part in parts:
            with torch.no_grad():
                probabilities = model(input_ids=part[None, :-1]).logits[0].log_softmax(-1)
            negative -= sum(float(probabilities[position, token]) for position, token in enumerate(part[1:]))
    finally:
        model.float()

    measured = windows_loss(trained.model, iter(parts))

    assert measured.tokens == 64 + 64 + 1 + 39
    assert measured.loss == pytest.approx(negative / measured.tokens, rel=1e-5)
    assert measured.perplexity == pytest.approx(math.exp(measured.loss))
    assert math.isnan(windows_loss(trained.model, []).loss)


def test_that_held_out_text_is_the_same_each_time_and_not_what_was_read(trained: SmallModel) -> None:
    assert trained.world is not None
    first = held_out_windows(trained.world, trained.tokenizer, 20)
    again = held_out_windows(trained.world, trained.tokenizer, 20)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert {len(window) for window in first} == {windows_module.LENGTH + 1}
    assert first[0][-1] == first[1][0]
    assert windows_loss(trained.model, first).loss < math.log(trained.model.config.vocab_size)


def test_that_a_file_read_in_pieces_has_the_tokens_of_the_whole(
    trained: SmallModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows_module, "_CHUNK_CHARACTERS", 50)

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.text("abcdeé,.", min_size=1, max_size=12), min_size=20, max_size=80), st.sampled_from(" \n"))
    def check(words: list[str], space: str) -> None:
        text = space.join(words)
        (tmp_path / "text").write_text(text, encoding="utf-8")
        parts = list(file_windows(tmp_path / "text", trained.tokenizer, 7))
        tokens = parts[0].tolist() + [token for part in parts[1:] for token in part[1:].tolist()]
        assert tokens == text_prompt(trained.tokenizer, text)
        assert all(len(part) == 8 for part in parts[:-1])
        assert all(one[-1] == other[0] for one, other in pairwise(parts))

    check()


def test_that_a_file_is_read_no_further_than_needed(trained: SmallModel, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("word " * 100_000)
    assert sum(len(part) - 1 for part in file_windows(path, trained.tokenizer, 10, max_tokens=101)) == 100


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [(b"", "too little text"), (b"\xff\xfe\x00" * 40, "not UTF-8"), (None, "cannot be read")],
)
def test_that_a_file_without_text_is_refused(
    trained: SmallModel, tmp_path: Path, contents: bytes | None, sentence: str
) -> None:
    path = tmp_path / "text"
    if contents is not None:
        path.write_bytes(contents)
    with pytest.raises(InvalidParams, match=sentence) as refusal:
        list(file_windows(path, trained.tokenizer, field="text_file"))
    assert refusal.value.field == "text_file"
    with pytest.raises(InvalidParams, match="cannot be read"):
        list(file_windows(tmp_path, trained.tokenizer))


class Parrot:
    """Replaces a model where only the comparison is tested: `generate` returns prepared answers."""


def test_that_only_the_whole_sentence_counts_as_a_match(trained: SmallModel, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trained.world is not None
    examples = table_task(trained.world).train[:4]
    first, second, third, fourth = (example.sentence for example in examples)
    generated = [first, f" {second} ", third[:-1], fourth + " And more."]
    monkeypatch.setattr("core.language_model.evaluation.generate", lambda *_: generated)
    answers = exact_match(Parrot(), trained.tokenizer, examples)
    assert answers.correct.tolist() == [True, True, False, False]
    assert answers.accuracy == 0.5
    assert answers.texts[1] == second


def test_that_a_completion_is_right_if_the_value_comes_first_and_whole(
    trained: SmallModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trained.world is not None
    prompts = completions(trained.world)[:4]
    values = [one.answer for one in prompts]
    generated = [f" {values[0]}. She", values[1], f"{values[2]}s are", f"no {values[3]}"]
    monkeypatch.setattr("core.language_model.evaluation.generate", lambda *_: generated)
    assert completion_accuracy(Parrot(), trained.tokenizer, prompts).correct.tolist() == [True, True, False, False]


def test_that_answers_of_a_real_model_are_taken_from_after_the_prompt(trained: SmallModel) -> None:
    assert trained.world is not None
    examples = table_task(trained.world).unseen_people[:3]
    answers = exact_match(trained.model, trained.tokenizer, examples)
    prompts = [prompt_ids(trained.tokenizer, example.row) for example in examples]
    assert list(answers.texts) == [text.strip() for text in generate(trained.model, trained.tokenizer, prompts)]
    assert task_loss(trained.model, trained.tokenizer, examples, 2).loss == pytest.approx(
        task_loss(trained.model, trained.tokenizer, examples, 3).loss, rel=1e-5
    )
