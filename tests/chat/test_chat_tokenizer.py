"""Tokens with their characters."""

from __future__ import annotations

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from core.chat.families import family_tokenizer
from core.chat.tokenizer import chat_tokenizer


def test_that_tokens_cover_the_text_and_characters_of_several_tokens_are_covered_by_each() -> None:
    text = "Ada é 😀<|im_end|>\n"
    encoded = family_tokenizer("chatml").encode(text)
    covered = np.zeros(len(text), int)
    for start, end in zip(encoded.starts, encoded.ends, strict=True):
        covered[start:end] += 1
    assert (covered >= 1).all()
    assert covered[text.index("😀")] > 1
    assert encoded.special.sum() == 1


def test_that_a_character_s_token_is_the_one_that_transformers_finds() -> None:
    text = "<|im_start|>user\nWho is  Ada é 😀?<|im_end|>\n"
    tokenizer = family_tokenizer("chatml")
    encoded, theirs = tokenizer.encode(text), tokenizer.tokenizer.encode(text, add_special_tokens=False)
    expected = [theirs.char_to_token(index) for index in range(len(text) + 2)]
    assert [encoded.token_at(index) for index in range(len(text) + 2)] == [
        -1 if index is None else index for index in expected
    ]


def test_that_white_space_that_a_tokenizer_drops_has_no_token() -> None:
    inner = Tokenizer(models.WordLevel({"a": 0, "b": 1, "?": 2}, unk_token="?"))
    inner.normalizer, inner.pre_tokenizer = normalizers.Strip(), pre_tokenizers.Whitespace()
    encoded = chat_tokenizer(inner, "words").encode(" a  b ")
    assert [encoded.token_at(index) for index in range(6)] == [-1, 0, -1, -1, 1, -1]


def test_that_a_tokenizer_neither_cuts_nor_pads() -> None:
    inner = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    inner.enable_truncation(2)
    inner.enable_padding(length=8)
    assert len(chat_tokenizer(inner, "words").encode("a a a")) == 3


def test_that_half_a_character_does_not_stop_the_tokenizer() -> None:
    encoded = family_tokenizer("chatml").encode("a\ud83d b")
    assert encoded.ends[-1] == 4


def test_that_many_texts_give_the_same_as_one_by_one() -> None:
    tokenizer, texts = family_tokenizer("gemma"), ["Ada", "", "<bos> Ada"]
    for text, encoded in zip(texts, tokenizer.encode_all(texts), strict=True):
        alone = tokenizer.encode(text)
        assert encoded.tokens == alone.tokens
        np.testing.assert_array_equal(encoded.starts, alone.starts)
