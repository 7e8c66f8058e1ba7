from __future__ import annotations

import locale

import pytest

from core import language


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_TW"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "en_GB"}, "en"),
        ({"LANG": "en_GB", "LANGUAGE": "zh:en"}, "zh"),
        ({"LC_MESSAGES": "zh@latin"}, "zh"),
    ],
)
def test_that_the_language_is_the_system_s_where_it_is_spoken(
    variables: dict[str, str], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(locale, "getlocale", lambda: (None, None))
    assert language.of_system() == code


def test_that_a_system_without_the_variables_is_asked_for_its_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(locale, "getlocale", lambda: ("Chinese (Simplified)_China", "936"))
    assert language.of_system() == "zh"


def test_that_an_unknown_language_is_refused_and_changes_nothing() -> None:
    before = language.current()
    with pytest.raises(ValueError, match="not one of en, zh"):
        language.use("tlh")
    assert language.current() == before


def test_that_a_damaged_catalogue_leaves_the_program_in_english(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "zh" / "LC_MESSAGES" / "tilescope.mo"
    file.parent.mkdir(parents=True)
    monkeypatch.setattr(language, "LOCALE", tmp_path)
    for damage in (b"", b"no catalogue", b"\xde\x12\x04\x95" + b"\xff" * 40):
        file.write_bytes(damage)
        language.catalogue.cache_clear()
        assert language.catalogue("zh").gettext("Run") == "Run"
    language.catalogue.cache_clear()
