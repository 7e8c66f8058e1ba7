"""Makes questions of the contents of question files that are right. What checks them is `core.questions.checking`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from core import language
from core.contracts.claims import Verdict
from core.contracts.written import Written
from core.questions.question import NO_TEXT, Group, Question, QuestionBook

if TYPE_CHECKING:
    from core.questions.guesses import ChoiceGuess, NumberGuess, VerdictGuess

Contents = Mapping[str, Any]


def book_of(facts: Mapping[str, Contents], texts: Mapping[str, Mapping[str, Contents]]) -> QuestionBook:
    """`facts` are the contents of the files of facts by the name of their group, `texts` by group and language."""
    in_order = sorted(facts, key=lambda name: facts[name]["order"])
    return QuestionBook(tuple(_group(name, facts[name], texts[name]) for name in in_order))


def _group(name: str, facts: Contents, texts: Mapping[str, Contents]) -> Group:
    trains = facts.get("trains", False)
    return Group(
        name,
        _written(texts, lambda group: group["title"]),
        tuple(
            _question(name, trains, each, {code: text["questions"].get(each["id"], {}) for code, text in texts.items()})
            for each in facts["questions"]
        ),
    )


def _question(group: str, trains: bool, facts: Contents, texts: Mapping[str, Contents]) -> Question:
    guess = _guess(facts.get("guess"))
    expected = facts.get("expected")
    return Question(
        id=facts["id"],
        group=group,
        page=facts["page"],
        set=facts.get("set", {}),
        claims=tuple(facts["claims"]),
        question=_written(texts, lambda text: text.get("question", "")),
        answer=_written(texts, lambda text: text.get("answer", "")),
        card=facts.get("card", ""),
        select=facts.get("select", {}),
        sources=tuple(facts.get("sources", ())),
        trains=facts.get("trains", trains),
        expected=None if expected is None else Verdict(expected),
        guess=guess,
        ask=_written(texts, lambda text: text.get("ask", "")),
        options=_options(texts),
        words=_written(texts, lambda text: text.get("words", "")),
    )


def _options(texts: Mapping[str, Contents]) -> dict[str, Written]:
    by_language = {code: text.get("options", {}) for code, text in texts.items()}

    def named(option: str) -> Written:
        return _written(by_language, lambda options: options.get(option, ""))

    return {option: named(option) for option in by_language[language.ENGLISH]}


def _guess(facts: Contents | None) -> NumberGuess | VerdictGuess | ChoiceGuess | None:
    if facts is None:
        return None
    from core.questions.guesses import ChoiceGuess, NumberGuess, VerdictGuess

    kinds = {"number": NumberGuess, "verdict": VerdictGuess, "largest": ChoiceGuess, "smallest": ChoiceGuess}
    guess: NumberGuess | VerdictGuess | ChoiceGuess = kinds[facts["kind"]](**facts)
    return guess


def _written(texts: Mapping[str, Contents], part: Callable[[Contents], str]) -> Written:
    written = {code: part(text) for code, text in texts.items()}
    if not any(written.values()):
        return NO_TEXT
    others = tuple((code, text) for code, text in written.items() if code != language.ENGLISH and text)
    return Written(written[language.ENGLISH], others=others)
