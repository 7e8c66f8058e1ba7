from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from core.commands.wrapping import broken, wrapped


def test_that_english_breaks_between_words_and_a_long_word_stays_whole() -> None:
    assert wrapped("one two three", 7) == ["one two", "three"]
    assert wrapped("see python-path-of-twenty-columns now", 10) == ["see", "python-path-of-twenty-columns", "now"]


def test_that_chinese_breaks_between_characters_by_their_width_and_never_before_punctuation() -> None:
    assert wrapped("运行之后，再看", 8) == ["运行之", "后，再看"]
    assert wrapped("运行（kernel）之后", 10) == ["运行", "（kernel）", "之后"]
    assert wrapped("启动 kernel 的函数", 11) == ["启动 kernel", "的函数"]


@given(st.text(alphabet="ab 行，。（） kernel", max_size=60), st.integers(4, 40))
def test_that_nothing_is_lost_and_lines_fit(text: str, width: int) -> None:
    lines = wrapped(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    for line in lines:
        assert cell_len(line) <= width or len(wrapped(line, width)) == 1


def test_that_a_name_ends_its_lines_behind_dots_and_underscores() -> None:
    assert broken("mha.tokens_per_second_low", 14) == ["mha.tokens_", "per_second_low"]
    assert broken("cache.needed", 14) == ["cache.needed"]
    assert broken("decode.activations_of_everything", 5) == ["decode.", "activations_", "of_", "everything"]
