"""Text as windows of token ids for measuring a loss: from the small world or the user's file. Workers only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.files import open_regular, reason_of
from core.language_model.text import HELD_OUT_TEXTS, documents
from core.language_model.world import World

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LENGTH = 64
_CHUNK_CHARACTERS = 1 << 16


def held_out_windows(
    world: World, tokenizer: PreTrainedTokenizerBase, documents_count: int = 200, length: int = LENGTH
) -> list[torch.Tensor]:
    """Windows, int64 [length + 1], of paragraphs about the same facts that training did not read.

    An incomplete last window is dropped. World and tokenizer determine the windows.
    """
    return document_windows(world, tokenizer, HELD_OUT_TEXTS, documents_count, length)


def document_windows(
    world: World, tokenizer: PreTrainedTokenizerBase, texts: int, documents_count: int, length: int = LENGTH
) -> list[torch.Tensor]:
    """The same of the world's documents with the seed `texts`: TRAINING_TEXTS or HELD_OUT_TEXTS."""
    read = islice(documents(world, texts), documents_count)
    return list(_windows(_framed(tokenizer, read), length, keep_partial=False))


def file_windows(
    path: str | Path,
    tokenizer: PreTrainedTokenizerBase,
    length: int = LENGTH,
    max_tokens: int | None = None,
    field: str | None = None,
) -> Iterator[torch.Tensor]:
    """Windows [length + 1] of a text file, read in chunks. The last window may be shorter. Stops after `max_tokens`.

    Neighbouring windows share one token, so every token except the first is predicted exactly once. Chunks end between
    words, so the tokens are those of the whole file, except where a chunk ends inside a run of spaces. Raises
    InvalidParams (for the parameter `field`) if the file cannot be read, is not UTF-8 or is too short.
    """
    path = Path(path).expanduser()
    if length < 1:
        raise InvalidParams(
            tr("A window of {length} tokens predicts nothing: use 1 token or more.", length=length), field
        )
    tokens = islice(_tokens_of(path, tokenizer, field), max_tokens)
    first = list(islice(tokens, 2))
    if len(first) < 2:
        raise InvalidParams(
            tr("{path} has too little text to measure a loss: use a longer file.", path=str(path)), field
        )
    yield from _windows(chain(first, tokens), length, keep_partial=True)


def _tokens_of(path: Path, tokenizer: PreTrainedTokenizerBase, field: str | None) -> Iterator[int]:
    if tokenizer.bos_token_id is not None:
        yield tokenizer.bos_token_id
    for chunk in _chunks(path, field):
        yield from tokenizer(chunk, add_special_tokens=False, verbose=False)["input_ids"]


def _chunks(path: Path, field: str | None) -> Iterator[str]:
    """The text in chunks that end before a space or line break. A chunk is never much longer than one read."""
    rest = ""
    try:
        with TextIOWrapper(open_regular(path), encoding="utf-8") as file:
            while text := file.read(_CHUNK_CHARACTERS):
                rest += text
                cut = max(rest.rfind(" "), rest.rfind("\n"))
                if cut <= 0 and len(rest) > _CHUNK_CHARACTERS:
                    cut = len(rest)
                if cut > 0:
                    yield rest[:cut]
                    rest = rest[cut:]
    except UnicodeDecodeError as error:
        text_error = tr("{path} is not UTF-8 text: save it as UTF-8, or use another file.", path=str(path))
        raise InvalidParams(text_error, field) from error
    except OSError as error:
        reason = reason_of(error)
        raise InvalidParams(
            tr("{path} cannot be read ({reason}): choose another file.", path=str(path), reason=reason), field
        ) from error
    if rest:
        yield rest


def _framed(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> Iterator[int]:
    """Concatenated documents, each between the tokenizer's <bos> and <eos>, as in pretraining."""
    for text in texts:
        yield from (token for token in (tokenizer.bos_token_id,) if token is not None)
        yield from tokenizer(text, add_special_tokens=False)["input_ids"]
        yield from (token for token in (tokenizer.eos_token_id,) if token is not None)


def _windows(tokens: Iterator[int], length: int, keep_partial: bool) -> Iterator[torch.Tensor]:
    """Windows of length + 1 tokens. The last token of a window is the first of the next."""
    carried = list(islice(tokens, 1))
    while new := list(islice(tokens, length)):
        if len(new) < length and not keep_partial:
            return
        yield torch.from_numpy(np.array(carried + new, dtype=np.int64))
        carried = new[-1:]
