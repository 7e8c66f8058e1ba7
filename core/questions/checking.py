"""What the contents of question files have to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core import language
from core.contracts.claims import Verdict
from core.contracts.text import Text, tr, verbatim
from core.questions.building import Contents
from core.questions.guess_facts import Guess, OptionId
from core.questions.guesses import ChoiceGuess, NumberGuess, VerdictGuess

MAX_QUESTIONS = 100
"""In a file."""

Id = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Value = bool | int | float | Annotated[str, Field(max_length=4096)]


class Wrong(Exception):
    """`file` is the name of the file below the folder of the questions, `reason` the rest of a sentence."""

    def __init__(self, file: str, reason: Text) -> None:
        super().__init__(str(reason))
        self.file, self.reason = file, reason


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class QuestionFacts(_Closed):
    """What is the same in every language. See `Question`."""

    id: Id
    page: Id
    set: dict[str, Value] = Field(default_factory=dict, max_length=30)
    claims: list[Id] = Field(min_length=1, max_length=6)
    card: str = Field("", max_length=40)
    select: dict[str, int | Annotated[str, Field(max_length=100)]] = Field(default_factory=dict, max_length=6)
    sources: list[Annotated[str, Field(min_length=5, max_length=200)]] = Field(default_factory=list, max_length=6)
    trains: bool | None = None
    expected: Verdict | None = Field(None, strict=False)
    guess: Guess | None = None


class GroupFacts(_Closed):
    """A file of facts: `order` places the group among the others, `trains` is of all its questions but those that say
    otherwise."""

    order: int
    trains: bool = False
    questions: list[QuestionFacts] = Field(min_length=1, max_length=MAX_QUESTIONS)


class QuestionTexts(_Closed):
    """A question in one language."""

    question: str = Field(min_length=5, max_length=160)
    answer: str = Field(min_length=10, max_length=500)
    ask: str = Field("", max_length=240)
    options: dict[OptionId, Annotated[str, Field(min_length=1, max_length=80)]] = Field(
        default_factory=dict, max_length=6
    )
    words: str = Field("", max_length=240)


class GroupTexts(_Closed):
    """A file of texts: the title of the group, and its questions by id."""

    title: str = Field(min_length=2, max_length=60)
    questions: dict[Id, QuestionTexts] = Field(max_length=MAX_QUESTIONS)


Model = TypeVar("Model", bound=BaseModel)


def check(facts: Mapping[str, Contents], texts: Mapping[str, Mapping[str, Contents]]) -> None:
    """Raises Wrong for the first thing that is. For the arguments see `core.questions.building.book_of`."""
    checked = {name: _validated(f"{name}.toml", contents, GroupFacts) for name, contents in facts.items()}
    for name, group in sorted(checked.items(), key=lambda item: item[1].order):
        _check_group(name, group, texts[name])
    ids = [question.id for group in checked.values() for question in group.questions]
    if len(set(ids)) < len(ids):
        twice = next(each for each in ids if ids.count(each) > 1)
        raise Wrong("", tr("{id} is the name of two questions", id=twice))


def _check_group(name: str, facts: GroupFacts, texts: Mapping[str, Contents]) -> None:
    checked = {}
    for code, contents in texts.items():
        file = f"{code}/{name}.toml"
        checked[code] = _validated(file, contents, GroupTexts)
        known = {question.id for question in facts.questions}
        if unknown := checked[code].questions.keys() - known:
            raise Wrong(file, tr("there is no question {id} in the group", id=min(unknown)))
    for each in facts.questions:
        _check_question(name, each, {code: group.questions.get(each.id) for code, group in checked.items()})


def _check_question(group: str, facts: QuestionFacts, texts: Mapping[str, QuestionTexts | None]) -> None:
    known = {code: text for code, text in texts.items() if text is not None}
    if language.ENGLISH not in known:
        raise Wrong(f"{language.ENGLISH}/{group}.toml", tr("the question {id} has no text", id=facts.id))
    choices = facts.guess.options if isinstance(facts.guess, ChoiceGuess) else ()
    for code, text in known.items():
        file = f"{code}/{group}.toml"
        if set(text.options) != set(choices):
            raise Wrong(file, tr("the options of {id} are not those of its guess", id=facts.id))
        if bool(text.ask) is not isinstance(facts.guess, NumberGuess | ChoiceGuess):
            raise Wrong(file, tr("{id} needs 'ask' if a number or a choice is guessed, and only then", id=facts.id))
    if isinstance(facts.guess, VerdictGuess) and facts.guess.claim not in facts.claims:
        raise Wrong(f"{group}.toml", tr("the claim that {id} guesses is not one of its claims", id=facts.id))


def _validated(file: str, contents: Contents, kind: type[Model]) -> Model:
    try:
        return kind.model_validate(contents)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Wrong(file, tr("{place}: {reason}", place=place, reason=verbatim(first["msg"]))) from error
