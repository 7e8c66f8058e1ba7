"""What was guessed is kept on this machine, and decides what is asked next."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from core.contracts.errors import TilescopeError
from core.questions.guesses import Outcome
from core.questions.review import ReviewLog, Tally
from tests.questions.asked import NOON, question

ASKED = [question(name) for name in ("never", "right", "wrong", "close", "wrong-before")]


def reviewed(path: Path) -> ReviewLog:
    log = ReviewLog(path)
    for minute, (name, outcome) in enumerate(
        [("wrong-before", Outcome.WRONG), ("right", Outcome.RIGHT), ("wrong", Outcome.WRONG), ("close", Outcome.CLOSE)]
    ):
        log.record(name, outcome, NOON + timedelta(minutes=minute))
    return log


def test_that_what_was_missed_is_asked_first(tmp_path: Path) -> None:
    log = reviewed(tmp_path / "review.json")
    assert [each.id for each in log.in_order(ASKED)] == ["wrong-before", "wrong", "close", "never", "right"]
    assert log.tally(ASKED) == Tally(right=1, close=1, wrong=2, unseen=1)


def test_that_guesses_are_remembered_when_the_program_starts_again(tmp_path: Path) -> None:
    path = tmp_path / "data/review.json"
    reviewed(path).record("wrong", Outcome.RIGHT, NOON)
    again = ReviewLog(path)
    assert again.notice is None
    known = again.remembered["wrong"]
    assert (known.asked, known.right, known.last, known.at) == (2, 1, Outcome.RIGHT, NOON)


@pytest.mark.parametrize("contents", [b"{", b"[]", b'{"version": 9}', b'{"questions": {"a": {"asked": -1}}}', b"\xff"])
def test_that_a_damaged_file_is_put_aside(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "review.json"
    path.write_bytes(contents)
    log = ReviewLog(path)
    assert dict(log.remembered) == {}
    assert "it begins anew; the file is now called review.json.damaged" in str(log.notice)
    assert (tmp_path / "review.json.damaged").read_bytes() == contents
    log.record("a", Outcome.RIGHT)
    assert set(ReviewLog(path).remembered) == {"a"}


def test_that_a_file_that_cannot_be_written_is_one_sentence_and_the_guess_still_counts(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    log = ReviewLog(tmp_path / "data/review.json")
    with pytest.raises(TilescopeError, match="The review cannot be saved in"):
        log.record("a", Outcome.WRONG)
    assert log.remembered["a"].last is Outcome.WRONG
