"""A byte-pair tokenizer, trained in this process on the texts of a world. Workers only."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from core.contracts.errors import InvalidParams
from core.language_model.libraries import silent_transformers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_BYTES = 256


class Special(StrEnum):
    """Tokens that no text contains, numbered from 0 in this order: padding, ends of a text, row from sentence."""

    PAD = "<pad>"
    BOS = "<bos>"
    EOS = "<eos>"
    SEP = "<sep>"


class Role(StrEnum):
    """Tokens that begin and end the turns of a dialogue. No pretraining text has them: their embeddings are as born."""

    SYSTEM = "<system>"
    USER = "<user>"
    ASSISTANT = "<assistant>"
    END_OF_TURN = "<end>"


SPECIAL_TOKENS = (*Special, *Role)
SMALLEST_VOCABULARY = len(SPECIAL_TOKENS) + _BYTES


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE with at most `vocabulary` tokens, special ones and the 256 bytes among them.

    Any text can be encoded, and decodes to itself. The same texts give the same tokenizer. Nothing is added around
    a text: `pretrain` and `data` place <bos> and <eos> themselves. Raises InvalidParams for a vocabulary too small.
    """
    if vocabulary < SMALLEST_VOCABULARY:
        raise InvalidParams(
            f"A vocabulary of {vocabulary} cannot hold the 256 bytes and {len(SPECIAL_TOKENS)} special tokens: take "
            f"{SMALLEST_VOCABULARY} or more."
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
    """What transformers and peft expect, around a tokenizer of the `tokenizers` library made by `train_tokenizer`."""
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
