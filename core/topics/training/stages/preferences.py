"""Preference pairs: two answers of the SFT model to one prompt, and which one the rule likes better. Workers only."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from core.contracts.errors import RunFailed
from core.contracts.text import tr
from core.files import reason_of, write_whole
from core.topics.training.stages.answer_batch import AnswerBatch, answer_texts, ended
from core.topics.training.stages.answers import Reader
from core.topics.training.stages.checkpoints import identity_of
from core.topics.training.stages.configs import PairsConfig
from core.topics.training.stages.instructions import Instruction, InstructionData
from core.topics.training.stages.rule import Judgement, judge
from core.topics.training.stages.sampling import sample_answers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PAIRS = "pairs.json"
_SAMPLED_AT_ONCE = 64
_MAX_DRAWS_PER_PAIR = 20


@dataclass(frozen=True)
class Pair:
    """Two answers to one prompt, as token ids with <eos> if they came to their end, and as texts. `swapped` marks a
    label that noise has turned around: the rule likes the rejected answer better."""

    prompt: str
    chosen: str
    rejected: str
    chosen_tokens: tuple[int, ...]
    rejected_tokens: tuple[int, ...]
    chosen_score: float
    rejected_score: float
    swapped: bool = False


@dataclass(frozen=True)
class Pairs:
    """`held_out` pairs are about people whom no training pair names. `num_tokens` is the number of tokens that were
    generated to get all pairs, ties included."""

    train: tuple[Pair, ...]
    held_out: tuple[Pair, ...]
    num_tokens: int


def make_pairs(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    reader: Reader,
    data: InstructionData,
    config: PairsConfig,
    folder: Path | None = None,
) -> Generator[tuple[int, int], None, Pairs]:
    """Sample pairs until there are enough. Answers that the rule likes equally are no pair. Yields (done, total).

    With a `folder`, finished pairs are kept there and read from there the next time. Raises RunFailed if the model
    gives hardly any answers that differ, or if the disk refuses.
    """
    identity = identity_of("pairs", config, model, data.prompts_train)
    if folder is not None and (kept := _read(folder / PAIRS, identity)):
        return kept
    generator = torch.Generator().manual_seed(config.seed)
    total = config.train + config.held_out
    found: list[Pair] = []
    num_tokens = 0
    for prompts, wanted in ((data.prompts_train, config.train), (data.prompts_held_out, total)):
        draws = 0
        while len(found) < wanted:
            if draws > _MAX_DRAWS_PER_PAIR * total:
                raise RunFailed(
                    tr(
                        "The rule likes almost all answers of this model equally, so there are no pairs: train SFT "
                        "longer."
                    )
                )
            asked = [prompts[i] for i in torch.randint(len(prompts), (_SAMPLED_AT_ONCE,), generator=generator)]
            texts = [item.prompt for item in asked for _ in range(2)]
            batch = sample_answers(model, tokenizer, texts, config.max_tokens, config.temperature, generator)
            judgements = judged(reader, tokenizer, [item for item in asked for _ in range(2)], batch)
            found = [*found, *_pairs(tokenizer, asked, batch, judgements)][:wanted]
            draws, num_tokens = draws + len(asked), num_tokens + batch.tokens
            yield len(found), total
    noise = torch.rand(config.train, generator=generator) < config.label_noise
    train = tuple(_swapped(pair) if swap else pair for pair, swap in zip(found[: config.train], noise, strict=True))
    pairs = Pairs(train, tuple(found[config.train :]), num_tokens)
    if folder is not None:
        _write(folder, identity, pairs)
    return pairs


def judged(
    reader: Reader, tokenizer: PreTrainedTokenizerBase, asked: Sequence[Instruction], batch: AnswerBatch
) -> list[Judgement]:
    """The rule's judgement of each answer."""
    texts, ends = answer_texts(tokenizer, batch), ended(tokenizer, batch).tolist()
    return [judge(reader, text, item.person, end) for item, text, end in zip(asked, texts, ends, strict=True)]


def _pairs(
    tokenizer: PreTrainedTokenizerBase,
    asked: Sequence[Instruction],
    batch: AnswerBatch,
    judgements: Sequence[Judgement],
) -> list[Pair]:
    texts = answer_texts(tokenizer, batch)
    tokens = [tuple(row[:length].tolist()) for row, length in zip(batch.answers, batch.lengths, strict=True)]
    found = []
    for index, item in enumerate(asked):
        better, worse = sorted((2 * index, 2 * index + 1), key=lambda row: -judgements[row].score)
        scores = judgements[better].score, judgements[worse].score
        if scores[0] != scores[1]:
            found.append(Pair(item.prompt, texts[better], texts[worse], tokens[better], tokens[worse], *scores))
    return found


def _swapped(pair: Pair) -> Pair:
    return Pair(
        pair.prompt,
        pair.rejected,
        pair.chosen,
        pair.rejected_tokens,
        pair.chosen_tokens,
        pair.rejected_score,
        pair.chosen_score,
        swapped=True,
    )


def _write(folder: Path, identity: dict[str, str], pairs: Pairs) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / PAIRS, json.dumps({"identity": identity, **asdict(pairs)}).encode())
    except OSError as error:
        raise RunFailed(
            tr(
                "The pairs could not be saved in {folder} ({reason}): free some space or choose another folder.",
                folder=str(folder),
                reason=reason_of(error),
            )
        ) from error


def _read(path: Path, identity: dict[str, str]) -> Pairs | None:
    """The pairs of a file; None if there are none, or those of another configuration: they are made again."""
    try:
        kept = json.loads(path.read_bytes())
        if kept["identity"] != identity:
            return None
        train, held_out = ([_pair(values) for values in kept[name]] for name in ("train", "held_out"))
        return Pairs(tuple(train), tuple(held_out), int(kept["num_tokens"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _pair(values: dict[str, Any]) -> Pair:
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return Pair(**fields)
