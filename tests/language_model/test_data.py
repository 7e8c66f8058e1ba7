from __future__ import annotations

from itertools import islice

import pytest
import torch

from core.language_model.data import IGNORED_LABEL, batch_loss, collate, ordered_batches, prompt_ids, task_batches
from core.language_model.small_model import SmallModel
from core.language_model.table_task import TableTask, table_task


@pytest.fixture
def task(trained: SmallModel) -> TableTask:
    assert trained.world is not None
    return table_task(trained.world)


def test_that_only_sentences_and_their_ends_are_learned(trained: SmallModel, task: TableTask) -> None:
    examples = task.train[:7]
    batch = next(ordered_batches(examples, trained.tokenizer, 7))

    assert batch.input_ids.shape == batch.attention_mask.shape == batch.labels.shape
    for row, example in enumerate(examples):
        real = batch.input_ids[row][batch.attention_mask[row] == 1]
        assert trained.tokenizer.decode(real) == f"<bos>{example.row}<sep>{example.sentence}<eos>"
        learned = batch.labels[row][batch.labels[row] != IGNORED_LABEL]
        assert trained.tokenizer.decode(learned) == f"{example.sentence}<eos>"
    assert batch.labelled_tokens == int((batch.labels != IGNORED_LABEL).sum())


def test_that_padding_changes_no_loss(trained: SmallModel) -> None:
    """In float64 the loss of a batch is the mean over its labelled tokens, each computed without padding."""
    pairs = [([1, 20, 21, 3], [30, 31, 2]), ([1, 3], [40]), ([1, 22, 23, 24, 25, 26, 3], [50, 2])]
    model = trained.model.double()
    try:
        alone = [(batch_loss(model, collate([pair], 0)).item(), len(pair[1])) for pair in pairs]
        together = batch_loss(model, collate(pairs, 0)).item()
    finally:
        model.float()
    assert together == pytest.approx(sum(loss * count for loss, count in alone) / 6, rel=1e-6)


def test_that_batches_follow_from_their_seed_and_go_through_all_examples(trained: SmallModel, task: TableTask) -> None:
    def rows(seed: int) -> list[str]:
        batches = islice(task_batches(task.train[:10], trained.tokenizer, 4, seed), 5)
        return [trained.tokenizer.decode(row) for batch in batches for row in batch.input_ids]

    assert rows(0) == rows(0)
    assert rows(0) != rows(1)
    strip = [row.replace("<pad>", "") for row in rows(0)]
    assert len(set(strip[:10])) == len(set(strip[10:])) == 10
    assert strip[:10] != strip[10:]


def test_that_a_tokenizer_without_special_tokens_will_do(trained: SmallModel) -> None:
    class Plain:
        bos_token_id = sep_token_id = eos_token_id = pad_token_id = None

        def __call__(self, texts: list[str], add_special_tokens: bool) -> dict[str, list[list[int]]]:
            return {"input_ids": [list(text.encode()) for text in texts]}

    assert bytes(prompt_ids(Plain(), "a, b, c")) == b"a, b, c\n"  # type: ignore[arg-type]


def test_that_training_on_the_task_lowers_its_loss(tiny: SmallModel, task: TableTask) -> None:
    optimizer = torch.optim.AdamW(tiny.model.parameters(), lr=1e-2)
    losses = []
    for batch in islice(task_batches(task.train, tiny.tokenizer, 8, 0), 12):
        loss = batch_loss(tiny.model, batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
