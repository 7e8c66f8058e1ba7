from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.contracts.errors import InvalidParams
from core.language_model.model_config import TINY
from core.language_model.small_model import SmallModel
from core.language_model.tokenizer import SMALLEST_VOCABULARY, SPECIAL_TOKENS, Special, train_tokenizer


def test_that_any_text_decodes_to_itself(trained: SmallModel) -> None:
    @settings(max_examples=100, deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def check(text: str) -> None:
        ids = trained.tokenizer(text, add_special_tokens=False)["input_ids"]
        assert trained.tokenizer.decode(ids) == text

    check()


def test_that_special_tokens_are_one_token_each_and_numbered_from_zero(trained: SmallModel) -> None:
    ids = trained.tokenizer.convert_tokens_to_ids([token.value for token in SPECIAL_TOKENS])
    assert ids == list(range(len(SPECIAL_TOKENS)))
    assert trained.tokenizer(Special.SEP.value, add_special_tokens=False)["input_ids"] == [
        trained.tokenizer.sep_token_id
    ]
    assert len(trained.tokenizer) == TINY.vocabulary == trained.model.config.vocab_size


def test_that_special_tokens_disappear_from_decoded_text(trained: SmallModel) -> None:
    ids = trained.tokenizer("<user>Who?<end><assistant>Ada.<end><eos>")["input_ids"]
    assert trained.tokenizer.decode(ids, skip_special_tokens=True) == "Who?Ada."


def test_that_the_same_texts_give_the_same_tokenizer() -> None:
    texts = ["Ada Bolow enjoys chess.", "Ada Bolow lives in Sizport."]
    first, second = (train_tokenizer(texts, 280).get_vocab() for _ in range(2))
    assert first == second


def test_that_a_vocabulary_without_room_for_the_bytes_is_refused() -> None:
    with pytest.raises(InvalidParams, match=str(SMALLEST_VOCABULARY)):
        train_tokenizer(["a"], SMALLEST_VOCABULARY - 1)
