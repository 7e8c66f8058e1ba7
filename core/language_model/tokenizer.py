"""A byte-level BPE tokenizer, trained in this process on the texts of a world. Workers only."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from core.contracts.errors import InvalidParams
from core.contracts.text import tr
from core.language_model.libraries import silent_transformers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_BYTES = 256


class Special(StrEnum):
    """Tokens that no text contains, with ids from 0 in this order: padding, begin and end of text, separator between
    row and sentence."""

    PAD = "<pad>"
    BOS = "<bos>"
    EOS = "<eos>"
    SEP = "<sep>"


class Role(StrEnum):
    """Tokens that mark the turns of a dialogue. No pretraining text has them, so their embeddings stay untrained."""

    SYSTEM = "<system>"
    USER = "<user>"
    ASSISTANT = "<assistant>"
    END_OF_TURN = "<end>"


SPECIAL_TOKENS = (*Special, *Role)
SMALLEST_VOCABULARY = len(SPECIAL_TOKENS) + _BYTES


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE with at most `vocabulary` tokens, including the special tokens and the 256 bytes.

    Any text can be encoded and decodes to itself. The same texts give the same tokenizer. It adds nothing around a
    text: `pretrain` and `data` add <bos> and <eos> themselves. Raises InvalidParams if the vocabulary is too small.
    """
    if vocabulary < SMALLEST_VOCABULARY:
        raise InvalidParams(
            tr(
                "A vocabulary of {tokens} tokens cannot hold the 256 bytes and {special} special tokens: use "
                "{smallest} or more.",
                tokens=vocabulary,
                special=len(SPECIAL_TOKENS),
                smallest=SMALLEST_VOCABULARY,
            )
        )
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[token.value for token in SPECIAL_TOKENS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return as_fast_tokenizer(tokenizer)


def as_fast_tokenizer(tokenizer: object) -> PreTrainedTokenizerFast:
    """Wraps a tokenizer of the `tokenizers` library in the class that transformers and peft expect."""
    with silent_transformers():
        from transformers import PreTrainedTokenizerFast

        return PreTrainedTokenizerFast(
            tokenizer_object=tokenizer,
            pad_token=Special.PAD.value,
            bos_token=Special.BOS.value,
            eos_token=Special.EOS.value,
            sep_token=Special.SEP.value,
            additional_special_tokens=[role.value for role in Role],
            clean_up_tokenization_spaces=False,
        )
