"""A text that is written in every language in files of its own, as questions and demos are, not in the catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from core import language
from core.contracts.text import Text


@dataclass(frozen=True)
class Written(Text):
    """`message` is the English text, `others` those in other languages by their code. It is used like any `Text`."""

    others: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> Written:
        """From the text in each language, at least one. Where English is missing, the first one stands in for it."""
        main = texts.get(language.ENGLISH, next(iter(texts.values())))
        return cls(main, others=tuple((code, text) for code, text in texts.items() if code != language.ENGLISH))

    @property
    def by_language(self) -> dict[str, str]:
        """The text in each language, as `of` takes them: what stands in for a missing English text is not English."""
        others = dict(self.others)
        return others if self.message in others.values() else {language.ENGLISH: self.message, **others}

    def in_language(self, code: str) -> str:
        """The text in that language; in English where it is not written."""
        if code == language.PSEUDO:
            return language.catalogue(code).gettext(self.message)
        return dict(self.others).get(code, self.message)

    def everywhere(self) -> tuple[str, ...]:
        """The text in all languages, English first."""
        return (self.message, *(text for _, text in self.others))
