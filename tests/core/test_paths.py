"""Paths as a person gives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.contracts.errors import InvalidParams
from core.paths import expanded


def test_that_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert expanded(" ~/a.csv ") == tmp_path / "a.csv"
    assert expanded(tmp_path / "a~b") == tmp_path / "a~b"


@pytest.mark.parametrize(("path", "named"), [("~nobody-of-this-name/a.csv", "~nobody-of-this-name"), ("a\0b", "NUL")])
def test_that_a_path_of_nobody_is_refused_in_one_sentence(path: str, named: str) -> None:
    with pytest.raises(InvalidParams, match=named) as caught:
        expanded(path, "report")
    assert caught.value.field == "report"
