"""Text as windows of token ids, to measure a loss on: of the small world, or of the user's file. Workers only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from core.contracts.errors import InvalidParams
from core.language_model.pretrain import HELD_OUT_TEXTS
from core.language_model.text import documents
from core.language_model.world import World

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LENGTH = 64
_CHARACTERS_AT_ONCE = 1 << 16


def held_out_windows(
    world: World, tokenizer: PreTrainedTokenizerBase, documents_count: int = 200, length: int = LENGTH
) -> list[torch.Tensor]:
    """Paragraphs that training did not read, about the same facts: windows [length + 1] int64, ends left over dropped.

    The same for the same world and tokenizer.
    """
    texts = islice(documents(world, HELD_OUT_TEXTS), documents_count)
    return list(_windows(_framed(tokenizer, texts), length, keep_rest=False))


def file_windows(
    path: str | Path,
    tokenizer: PreTrainedTokenizerBase,
    length: int = LENGTH,
    max_tokens: int | None = None,
    field: str | None = None,
) -> Iterator[torch.Tensor]:
    """A text file, read piece by piece: windows [length + 1], the last perhaps shorter; `max_tokens` in all.

    Neighbours share one token, so that each but the file's first is predicted once. Pieces end between words, so the
    tokens are those of the whole file, but for a run of spaces that a piece may end in. Raises InvalidParams (for the
    parameter `field`) where the file cannot be read, is not UTF-8 text, or is too short to predict anything.
    """
    path = Path(path).expanduser()
    if length < 1:
        raise InvalidParams(f"A window of {length} tokens predicts nothing: take 1 or more.", field)
    tokens = islice(_tokens_of(path, tokenizer, field), max_tokens)
    first = list(islice(tokens, 2))
    if len(first) < 2:
        raise InvalidParams(f"{path} holds too little text to measure a loss on: take a longer one.", field)
    yield from _windows(chain(first, tokens), length, keep_rest=True)


def _tokens_of(path: Path, tokenizer: PreTrainedTokenizerBase, field: str | None) -> Iterator[int]:
    if tokenizer.bos_token_id is not None:
        yield tokenizer.bos_token_id
    for piece in _pieces(path, field):
        yield from tokenizer(piece, add_special_tokens=False, verbose=False)["input_ids"]


def _pieces(path: Path, field: str | None) -> Iterator[str]:
    """The text in pieces that end before a space or a line end, and are never much longer than is read at once."""
    rest = ""
    try:
        with path.open(encoding="utf-8") as file:
            while text := file.read(_CHARACTERS_AT_ONCE):
                rest += text
                cut = max(rest.rfind(" "), rest.rfind("\n"))
                if cut <= 0 and len(rest) > _CHARACTERS_AT_ONCE:
                    cut = len(rest)
                if cut > 0:
                    yield rest[:cut]
                    rest = rest[cut:]
    except UnicodeDecodeError as error:
        raise InvalidParams(f"{path} is not UTF-8 text: save it as UTF-8, or take another file.", field) from error
    except OSError as error:
        raise InvalidParams(f"{path} cannot be read: {error.strerror or error}.", field) from error
    if rest:
        yield rest


def _framed(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> Iterator[int]:
    """Documents end to end, each between the tokenizer's <bos> and <eos>, as pretraining reads them."""
    for text in texts:
        yield from (token for token in (tokenizer.bos_token_id,) if token is not None)
        yield from tokenizer(text, add_special_tokens=False)["input_ids"]
        yield from (token for token in (tokenizer.eos_token_id,) if token is not None)


def _windows(tokens: Iterator[int], length: int, keep_rest: bool) -> Iterator[torch.Tensor]:
    """Runs of length + 1 tokens, the last of one being the first of the next."""
    carried = list(islice(tokens, 1))
    while new := list(islice(tokens, length)):
        if len(new) < length and not keep_rest:
            return
        yield torch.from_numpy(np.array(carried + new, dtype=np.int64))
        carried = new[-1:]
